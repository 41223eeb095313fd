"""Runs commands of torchdeck in children of this process, which has imported torch, and kills them with SIGKILL.

A request is a line of JSON on standard input, and an answer is one on standard output:

    {"arguments": ["train", …], "log": …, "kill": null}                run to the end
    … "kill": {"after_s": 0.8}                                        kill after that time
    … "kill": {"at": "os.replace", "call": 3, "side": "before"}       kill before or after the third call of a function

Importing torch takes two seconds; a forked process has it already, see warm_torchdeck.
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
    """Kill this process before or after a given call of a function."""
    owner_name, _, name = place.rpartition(".")
    try:
        owner: Any = importlib.import_module(owner_name)
    except ModuleNotFoundError:
        module, _, cls = owner_name.rpartition(".")
        owner = getattr(importlib.import_module(module), cls)
    function, calls = getattr(owner, name), 0

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

    setattr(owner, name, counted)


def start(request: dict[str, Any]) -> int:
    """Start the process of the command, with its output in the log; returns its id."""
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
    """Run a command; returns its exit status, or minus the signal that ended it, and its duration."""
    started = time.monotonic()
    pid = start(request)
    kill = request["kill"] or {}
    if "after_s" in kill:
        end = started + kill["after_s"]
        while time.monotonic() < end:
            time.sleep(max(0.0, min(0.01, end - time.monotonic())))
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


if __name__ == "__main__":
    serve(answer)
