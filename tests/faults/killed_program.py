"""Runs commands of torchdeck in children of this process, which has imported torch, and kills them with SIGKILL.

A request is a line of JSON on standard input, an answer one on standard output:

    {"arguments": ["train", …], "log": …, "kill": null}                to its end
    … "kill": {"after_s": 0.8}                                        after that time
    … "kill": {"at": "os.replace", "call": 3, "side": "before"}       before or after the third call of that function

Importing torch takes two seconds; a fork has it at once, see warm_torchdeck.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from warm_torchdeck import child, serve

import engine.training.loop

engine.training.loop.TICK_S = 0.004  # these runs take a second: looked at more often, they are saved within epochs


def kill_at(place: str, call: int, side: str) -> None:
    """Let this process end before or after it has called a function so many times."""
    holder_name, _, name = place.rpartition(".")
    try:
        holder: Any = importlib.import_module(holder_name)
    except ModuleNotFoundError:
        module, _, cls = holder_name.rpartition(".")
        holder = getattr(importlib.import_module(module), cls)
    function, calls = getattr(holder, name), 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        number = calls
        if number == call and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if number == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, name, counted)


def begun(request: dict[str, Any]) -> int:
    """The process of the command; what it prints goes to the log."""
    kill = request["kill"] or {}
    open(request["log"], "wb").close()
    command = {
        "arguments": request["arguments"],
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "files": [request["log"]] * 2,
    }
    return child(command, before=lambda: kill_at(kill["at"], kill["call"], kill["side"]) if "at" in kill else None)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one command; its exit status, minus the signal where one ended it, and how long it took."""
    began = time.monotonic()
    pid = begun(request)
    kill = request["kill"] or {}
    if "after_s" in kill:
        end = began + kill["after_s"]
        while time.monotonic() < end:
            time.sleep(max(0.0, min(0.01, end - time.monotonic())))
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}


if __name__ == "__main__":
    serve(answer)
