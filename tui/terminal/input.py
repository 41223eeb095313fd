"""Textual's driver with a reader that distinguishes pasted text from typed keys."""

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
"""The longest wait before a single escape character counts as the key."""


def with_paste_reader(driver: type[Driver]) -> type[Driver]:
    """Return a driver for a Unix terminal with this reader; any other driver unchanged."""
    if not hasattr(driver, "run_input_thread") or not hasattr(driver, "_sigtstp_application"):
        return driver

    class Reading(driver):  # type: ignore[misc, valid-type]
        def run_input_thread(self) -> None:
            read_terminal(self)

        def _sigtstp_application(self, *_: object) -> None:
            """Stop every process of the job; otherwise the shell does not return to its prompt."""
            if self._auto_restart:
                self.suspend_application_mode()
                self._must_signal_resume = True
            os.killpg(0, signal.SIGSTOP)

    return Reading


def read_terminal(driver: Any) -> None:
    """Read the terminal and pass on events until the driver's `exit_event` is set."""
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
