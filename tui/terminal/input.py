"""Textual's driver with a reader of its own: it tells what was pasted from what was typed."""

from __future__ import annotations

import os
import selectors
import signal
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser

from tui.terminal.pastes import PasteSorter, Typed

if TYPE_CHECKING:
    from textual.driver import Driver

_WAIT_S = 0.1
"""The longest time before a lone escape is a key."""


def with_paste_reader(driver: type[Driver]) -> type[Driver]:
    """A driver of a Unix terminal that reads so; any other as it is."""
    if not hasattr(driver, "run_input_thread") or not hasattr(driver, "_sigtstp_application"):
        return driver

    class Reading(driver):  # type: ignore[misc, valid-type]
        def run_input_thread(self) -> None:
            read_terminal(self)

        def _sigtstp_application(self, *_: object) -> None:
            """Stop every process of the job: a shell that only sees a part of it stop does not come back."""
            if self._auto_restart:
                self.suspend_application_mode()
                self._must_signal_resume = True
            os.killpg(0, signal.SIGSTOP)

    return Reading


def read_terminal(driver: Any) -> None:
    """Read the terminal until the driver's `exit_event` is set, and hand on what comes."""
    parser, sorter = XTermParser(), PasteSorter()
    decode = getincrementaldecoder("utf-8")("replace").decode
    with selectors.SelectSelector() as selector:
        selector.register(driver.fileno, selectors.EVENT_READ)
        while not driver.exit_event.is_set():
            there = selector.select(_WAIT_S)
            read = sorter.sort(decode(os.read(driver.fileno, 1 << 16)), time.monotonic()) if there else sorter.waited()
            for part in read:
                for event in parser.feed(part.text) if isinstance(part, Typed) else (part,):
                    driver.process_message(event)
            for event in parser.tick():
                driver.process_message(event)
    with suppress(EOFError, ParseError):
        list(parser.feed(""))
