"""Work on threads of its own, so that the screen stays responsive; results are passed to the app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.app import App

from engine import progress_to
from tui.printing.progress import progress_text

Work = Callable[[], Any]
Done = Callable[[Any], None]
Report = Callable[[str], None]

REPORT_EVERY_S = 0.5


class Cancelled(Exception):
    """The result of the work is not needed any more."""


class Background:
    """Runs one piece of work at a time on a thread. A new request replaces one that has not started.

    The thread is not a daemon: a daemon inside torch's import aborts the process when it exits. The thread exists only
    while there is work.

    Args:
        report: called in the app with the progress of reading or downloading data, at most twice a second.
    """

    def __init__(self, app: App[Any], name: str, report: Report | None = None) -> None:
        self._app = app
        self._name = name
        self._report = report
        self._reported_at = 0.0
        self._lock = threading.Lock()
        self._waiting: tuple[Work, Done] | None = None
        self._working = False
        self._closed = False
        self._cancelled = False

    @property
    def busy(self) -> bool:
        """Whether work is running or waiting."""
        return self._working

    def submit(self, work: Work, done: Done) -> None:
        """Run `work` on the thread, then call `done` in the app with its result or with the exception it raised."""
        with self._lock:
            self._waiting = work, done
            if self._working or self._closed:
                return
            self._working = True
        threading.Thread(target=self._run, name=self._name).start()

    def close(self) -> None:
        """Start no more work. Running work ends when it next reads data; its result is dropped."""
        with self._lock:
            self._closed, self._waiting = True, None

    def cancel(self) -> None:
        """End running work when it next reads data, and drop waiting work."""
        with self._lock:
            self._cancelled, self._waiting = self._working, None

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._working = False
                    return
                (work, done), self._waiting = self._waiting, None
                self._cancelled = False
            try:
                with progress_to(self._progress):
                    result = work()
            except Exception as error:
                result = error
            if not self._closed:
                try:
                    self._app.call_later(done, result)
                except RuntimeError:  # the app's loop was closed in the meantime
                    self.close()

    def _progress(self, what: str, done: int, total: int) -> None:
        if self._closed or self._cancelled:
            raise Cancelled
        if self._report is not None and monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = monotonic()
            try:
                self._app.call_later(self._report, progress_text(what, done, total))
            except RuntimeError:  # the app's loop was closed in the meantime
                raise Cancelled from None
