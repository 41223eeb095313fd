"""`torchdeck` in a process of its own without the two seconds that importing torch takes: forked from one that has.

What is run is what the console script runs, with its own working folder, environment, files and exit status, on the
machine that tests describe. A test of what a fresh process does, or of signals and pipes, starts one.

    python tests/warm_torchdeck.py       a request is a line of JSON on stdin, an answer one on stdout
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from described_machine import DescribedMachine

_AT_START = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_", "LD_")
"""Variables that a process reads when it begins, and no more."""
_ENVIRONMENT = dict(os.environ)
"""That of the tests, before any of them has changed it."""


class Warm:
    """A process that has imported torch, and forks a process for each request."""

    def __init__(self, program: Path) -> None:
        command = [sys.executable, str(program)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT
        )
        atexit.register(self.end)

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            subprocess.TimeoutExpired: none came in time; the process is ended, and what it runs.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            self.end()
            raise subprocess.TimeoutExpired(str(request["arguments"]), timeout_s)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """End it, and what it runs."""
        self._process.kill()
        self._process.wait()


_warm: Warm | None = None


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 170
) -> subprocess.CompletedProcess[str]:
    """Run a command of torchdeck to its end, with nothing on stdin."""
    global _warm
    environment = dict(os.environ if env is None else env)
    if not begins_alike(environment):
        command = [sys.executable, "-m", "tui.cli", *arguments]
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    if _warm is None or not _warm.alive:
        _warm = Warm(Path(__file__).resolve())
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        files = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
        request = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "files": files}
        status = _warm.ask(request, timeout)["status"]
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(arguments), status, out.read().decode(), err.read().decode())


def begins_alike(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment begins as a forked one did; if not, only a fresh one will do."""
    return _at_start(environment) == _at_start(_ENVIRONMENT)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


def child(request: Mapping[str, Any], before: Callable[[], None] = lambda: None) -> int:
    """Begin a process that is the command which is asked for; returns its number.

    Args:
        request: its `arguments`, `cwd`, `environment`, and the two `files` that stand for its stdout and stderr.
        before: called in it, when it is all that.
    """
    pid = os.fork()
    if not pid:
        _become(request)
        before()
        end_as(importlib.import_module("tui.cli").main)
    return pid


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Import what commands need, and answer requests until there is nothing more to read."""
    for module in _IMPORTED:
        importlib.import_module(module)
    importlib.import_module("engine.machine")._machine = DescribedMachine()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


_IMPORTED = (
    *("sklearn.datasets", "torch", "torchvision.transforms.v2"),
    *("engine.plan", "engine.training.session", "tui.cli", "tui.headless"),
)
"""For the children, which import them again in no time. None of them begins a thread, which no fork would have."""


def _become(request: Mapping[str, Any]) -> None:
    """Make this process what a fresh one would be."""
    os.chdir(request["cwd"])
    environment = dict(request["environment"])
    os.environ.clear()
    os.environ.update(environment)
    out, err = (os.open(path, os.O_WRONLY | os.O_APPEND) for path in request["files"])
    for descriptor, standard in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=sys.stdout.encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False)
    sys.argv = ["torchdeck", *request["arguments"]]


def end_as(command: Callable[[], object]) -> NoReturn:
    """Run it, and end as a Python process does, but for taking every module apart, which takes a second."""
    status = 0
    try:
        command()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _to_its_end(request: dict[str, Any]) -> dict[str, Any]:
    _, status = os.waitpid(child(request), 0)
    return {"status": os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    serve(_to_its_end)
