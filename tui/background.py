"""Work that must not hold up the screen: a thread a subject, the newest request first, its result handed to the app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from textual.app import App

Work = Callable[[], Any]
Done = Callable[[Any], None]


class Background:
    """Runs one piece of work at a time. A request that has not begun is replaced by the next one.

    The thread is not a daemon's, since one of those inside torch's import aborts the process at its end; it lives only
    while there is work.
    """

    def __init__(self, app: App[Any], name: str) -> None:
        self._app = app
        self._name = name
        self._lock = threading.Lock()
        self._waiting: tuple[Work, Done] | None = None
        self._working = False
        self._closed = False

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
        """Begin nothing more; what is going on goes to its end unheard."""
        with self._lock:
            self._closed, self._waiting = True, None

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._working = False
                    return
                (work, done), self._waiting = self._waiting, None
            try:
                result = work()
            except Exception as error:
                result = error
            if not self._closed:
                try:
                    self._app.call_later(done, result)
                except RuntimeError:  # the app's loop was closed in between
                    self.close()
