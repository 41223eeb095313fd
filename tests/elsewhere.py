"""Run the tests as on other machines: an older CPU, one core, a busy one, another time zone, language, date, user.

    python tests/elsewhere.py [NAME …] [--list] [--tests PATH …] [PYTEST OPTION …]

Without a name, every variation runs in turn, each with the tests that it may affect. A variation that this machine
does not support is reported with the reason. The exit status is 1 if a test failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
EVERYTHING = ("tests",)
NUMBERS = ("tests/engine", "tests/tui", "tests/test_presets.py")
SHOWN = ("tests/tui", "tests/engine/runs", "tests/engine/data", "tests/test_cli.py", "tests/test_runs.py")
FILES = (*SHOWN, "tests/engine/training", "tests/test_leaving.py", "tests/faults/test_disk.py")
BUSY_PROCESSES = 2
OTHER_USER = "nobody"
HEARTBEATS = (
    "test_run_lock.py::test_a_live_run_is_safe_on_a_file_system_that_grants_every_lock",
    "test_run_lock.py::test_a_lock_of_an_earlier_version_counts_by_process_and_heartbeat_where_every_lock_is_granted",
    "test_run_lock.py::test_a_process_of_another_container_or_boot_counts_by_its_heartbeat_and_not_by_its_id",
    "test_run_lock.py::test_a_run_of_another_host_can_be_opened_only_after_its_heartbeat_stopped",
    "test_listing.py::test_a_run_of_this_process_is_live_from_its_creation",
    "test_listing.py::test_a_run_on_another_host_is_live_while_it_has_a_heartbeat",
    "test_listing.py::test_a_resumed_run_is_live_before_its_model_is_built",
)
"""Tests that compare the change time of a file with the clock: libfaketime changes only the clock."""
DATE = datetime(2032, 2, 29, 23, 58, 30)
"""The start of the clock of all processes, at any time."""

Missing = Callable[[], str]
"""Why this machine does not support a variation; empty if it does."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One difference of another machine.

    `tests` are those that it may affect.
    """

    name: str
    what: str
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Tests of tests/engine/runs that cannot pass there."""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    missing: Missing = lambda: ""
    busy: bool = False


def numpy_dispatched() -> str:
    """The groups of CPU features that numpy uses here in addition to its baseline, by its names."""
    from numpy._core import _multiarray_umath as numpy_core

    here = numpy_core.__cpu_features__
    return " ".join(name for name in numpy_core.__cpu_dispatch__ if here.get(name))


def lacks(program: str) -> Missing:
    return lambda: "" if shutil.which(program) else f"there is no {program} here"


def lacks_locale(name: str) -> Missing:
    def missing() -> str:
        known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower().split()
        there = {name.lower(), name.lower().replace("-", "")} & set(known)
        return "" if there else f"the locale {name} is not installed here"

    return missing


def lacks_other_user() -> str:
    if os.getuid() != 0:
        return "only root can become another user, and this is not root"
    if not shutil.which("setpriv"):
        return "there is no setpriv here"
    tried = subprocess.run([*AS_OTHER, sys.executable, "-c", ""], cwd=ROOT, capture_output=True, check=False)
    return f"{OTHER_USER} may not run {sys.executable}, or read its folder" if tried.returncode else ""


AS_OTHER = ("setpriv", f"--reuid={OTHER_USER}", "--regid=nogroup", "--clear-groups")

VARIATIONS = (
    Variation(
        name="cpu",
        what="a CPU without AVX, for torch, numpy and oneDNN",
        tests=NUMBERS,
        environment={
            "ATEN_CPU_CAPABILITY": "default",
            "NPY_DISABLE_CPU_FEATURES": numpy_dispatched(),
            "ONEDNN_MAX_CPU_ISA": "SSE41",
        },
    ),
    Variation(
        name="core",
        what="one core",
        tests=EVERYTHING,
        before=("taskset", "-c", "0"),
        missing=lacks("taskset"),
    ),
    Variation(name="busy", what="two other processes that use all CPU time", tests=EVERYTHING, busy=True),
    Variation(
        name="zone",
        what="the time zone Pacific/Kiritimati, 14 hours before UTC",
        tests=SHOWN,
        environment={"TZ": "Pacific/Kiritimati"},
    ),
    Variation(
        name="c-locale",
        what="the locale C",
        tests=(*SHOWN, "tests/test_nothing_is_sent.py"),
        environment={"LC_ALL": "C", "LANG": None},
    ),
    Variation(
        name="german",
        what="the locale de_DE",
        tests=SHOWN,
        environment={"LC_ALL": "de_DE.UTF-8"},
        missing=lacks_locale("de_DE.utf8"),
    ),
    Variation(
        name="date",
        what="the last day of February 2032, shortly before midnight",
        tests=SHOWN,
        environment={"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": str(ROOT / "tests" / "other_date")},
        without=HEARTBEATS,
        before=("faketime", "-f", f"{(DATE - datetime.now()).total_seconds():+.0f}"),
        missing=lacks("faketime"),
    ),
    Variation(
        name="hash",
        what="another seed for string hashes in every process",
        tests=NUMBERS,
        environment={"PYTHONHASHSEED": "4242"},
    ),
    Variation(
        name="no-home",
        what="no HOME",
        tests=FILES,
        environment={"HOME": None},
    ),
    Variation(
        name="home",
        what="a HOME that does not exist and cannot be created",
        tests=FILES,
        environment={"HOME": "/proc/nobody"},
    ),
    Variation(
        name="user",
        what=f"the user {OTHER_USER}, with a HOME that does not exist",
        tests=FILES,
        environment={"HOME": "/proc/nobody", "USER": None, "LOGNAME": None},
        before=AS_OTHER,
        missing=lacks_other_user,
    ),
)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Run processes that compute all the time."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(variation: Variation, tests: Sequence[str], options: Sequence[str]) -> int:
    """Run tests under a variation; returns the exit status of pytest."""
    changed = os.environ | variation.environment
    environment = {name: value for name, value in changed.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder, busy(BUSY_PROCESSES * variation.busy):
        os.chmod(folder, 0o777)  # another user writes there
        command = [*variation.before, sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal"]
        command += [f"--deselect=tests/engine/runs/{name}" for name in variation.without]
        command += ["-p", "no:cacheprovider", f"--basetemp={folder}/tests", *options, *tests]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    known = {variation.name: variation for variation in VARIATIONS}
    parser = argparse.ArgumentParser(description="Run the tests as another machine would.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="variations; all by default")
    parser.add_argument("--list", action="store_true", help="print the variations")
    parser.add_argument("--tests", nargs="+", metavar="PATH", default=[], help="tests to run instead")
    arguments, options = parser.parse_known_args()
    if arguments.list:
        print("\n".join(f"{variation.name:10} {variation.what}" for variation in VARIATIONS))
        return 0
    if unknown := ", ".join(name for name in arguments.names if name not in known):
        parser.error(f"there is no variation {unknown}; there are {', '.join(known)}")
    results = {}
    for variation in [known[name] for name in arguments.names] or VARIATIONS:
        missing = variation.missing()
        print(f"\n{variation.name}: {variation.what}", flush=True)
        failed = not missing and run(variation, arguments.tests or variation.tests, options)
        results[variation.name] = f"not run: {missing}" if missing else "FAILED" if failed else "passed"
    print("\n" + "\n".join(f"{name:10} {result}" for name, result in results.items()))
    return int("FAILED" in results.values())


if __name__ == "__main__":
    sys.exit(main())
