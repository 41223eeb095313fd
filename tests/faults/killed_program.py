"""Runs commands of torchdeck in children of this process, which has imported torch, and kills them with SIGKILL.

A request is a line of JSON on standard input, an answer one on standard output:

    {"arguments": ["train", …], "folder": …, "kill": null}             to its end
    … "kill": {"after_s": 0.8}                                        after that time
    … "kill": {"at": "os.replace", "call": 3, "side": "before"}       before or after the third call of that function

Importing torch takes two seconds; a fork has it at once. Nothing here has begun a thread when it forks.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from typing import Any

import sklearn.datasets
import torch
import torchvision.transforms.v2

import engine.plan
import engine.training.loop
import engine.training.session
import tui.cli
import tui.headless

# Imported for the children, which import them again in no time.
assert (
    sklearn.datasets
    and torch
    and torchvision.transforms.v2
    and engine.plan
    and engine.training.session
    and tui.headless
)

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


def child(request: dict[str, Any]) -> None:
    """The command, as the console script runs it."""
    null, log = os.open(os.devnull, os.O_RDONLY), os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor, old in ((0, null), (1, log), (2, log)):
        os.dup2(old, descriptor)
    kill = request["kill"] or {}
    if "at" in kill:
        kill_at(kill["at"], kill["call"], kill["side"])
    sys.argv = ["torchdeck", *request["arguments"]]
    status = 1
    try:
        tui.cli.main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
    finally:
        os._exit(status)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one command; its exit status, minus the signal where one ended it, and how long it took."""
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        child(request)
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
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
