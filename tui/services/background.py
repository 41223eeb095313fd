"""Work that must not hold up the screen: a thread a subject, the newest request first, its result handed to the app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.app import App

from engine.data.progress import progress_to
from tui.printing.progress import progress_text

Work = Callable[[], Any]
Done = Callable[[Any], None]
Say = Callable[[str], None]

SAID_EVERY_S = 0.5


class GivenUp(Exception):
    """Nobody waits any more for what is being read."""


class Background:
    """Runs one piece of work at a time. A request that has not begun is replaced by the next one.

    The thread is not a daemon's, since one of those inside torch's import aborts the process at its end; it lives only
    while there is work.

    Args:
        say: is told in the app, now and then, how far the reading or downloading of data is.
    """

    def __init__(self, app: App[Any], name: str, say: Say | None = None) -> None:
        self._app = app
        self._name = name
        self._say = say
        self._said_at = 0.0
        self._lock = threading.Lock()
        self._waiting: tuple[Work, Done] | None = None
        self._working = False
        self._closed = False
        self._given_up = False

    @property
    def busy(self) -> bool:
        """Whether work is going on or waiting."""
        return self._working

    def submit(self, work: Work, done: Done) -> None:
        """Do `work` on the thread, then call `done` in the app with what it returned, or the exception it raised."""
        with self._lock:
            self._waiting = work, done
            if self._working or self._closed:
                return
            self._working = True
        threading.Thread(target=self._run, name=self._name).start()

    def close(self) -> None:
        """Begin nothing more; what is going on ends as soon as it reads data, else goes to its end unheard."""
        with self._lock:
            self._closed, self._waiting = True, None

    def give_up(self) -> None:
        """Break off what is going on as soon as it reads data; forget what waits."""
        with self._lock:
            self._given_up, self._waiting = self._working, None

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._working = False
                    return
                (work, done), self._waiting = self._waiting, None
                self._given_up = False
            try:
                with progress_to(self._heard):
                    result = work()
            except Exception as error:
                result = error
            if not self._closed:
                try:
                    self._app.call_later(done, result)
                except RuntimeError:  # the app's loop was closed in between
                    self.close()

    def _heard(self, what: str, done: int, total: int) -> None:
        if self._closed or self._given_up:
            raise GivenUp
        if self._say is not None and monotonic() - self._said_at >= SAID_EVERY_S:
            self._said_at = monotonic()
            try:
                self._app.call_later(self._say, progress_text(what, done, total))
            except RuntimeError:  # the app's loop was closed in between
                raise GivenUp from None
