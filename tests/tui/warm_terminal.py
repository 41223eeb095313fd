"""Programs of the deck in real terminals, forked from this process, which has imported torch and Textual already.

    python tests/tui/warm_terminal.py       a request is a line of JSON on stdin, an answer one on stdout

A request names the program, its arguments, its environment and the terminal's device. The answer is the number of a
process that stands between terminal and program as a shell does: it keeps the terminal when the program has ended, so
that its state can be read afterwards, and prints the exit status.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

sys.path.append(str(Path(__file__).parents[1]))
from warm_torchdeck import end_as, serve

KEPT_S = 60
IMPORTED = (
    "textual.app",
    "textual.widgets",
    "tui.deck.app",
    "tui.launch",
    "tui.screens.train",
    "fake_producer",
    "fake_run",
)


def begun(request: dict[str, Any]) -> dict[str, Any]:
    """Begin a program in a terminal."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    until, there = os.pipe()
    shell = os.fork()
    if not shell:
        os.close(until)
        _stand_between(request, there)
    os.close(there)
    os.read(until, 1)  # ends when it has the terminal, which no other process may have open from then on
    os.close(until)
    return {"pid": shell}


def _stand_between(request: dict[str, Any], there: int) -> NoReturn:
    os.setsid()
    terminal = os.open(request["terminal"], os.O_RDWR)  # of a session without one, it becomes the controlling terminal
    for standard in (0, 1, 2):
        os.dup2(terminal, standard)
    os.close(terminal)
    os.close(there)
    signal.signal(signal.SIGHUP, lambda *_: None)
    program = os.fork()
    if not program:
        _become(request)
        end_as(lambda: runpy.run_path(request["program"], run_name="__main__"))
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    with suppress(OSError):
        os.write(1, f"status={status if status >= 0 else 128 - status}\n".encode())
    time.sleep(KEPT_S)
    os._exit(0)


def _become(request: dict[str, Any]) -> None:
    """Make this process what a fresh one in the terminal would be."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    # Created again: those of this process remember that they are seekable, which a terminal is not.
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = os.fdopen(number, "w", buffering=1, encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = [request["program"], *request["arguments"]]
    sys.path[0] = str(Path(request["program"]).parent)


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    serve(begun)
