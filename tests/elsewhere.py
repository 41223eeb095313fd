"""The tests as another machine runs them: an older CPU, one core, a busy one, another zone, language, date, user.

    python tests/elsewhere.py [NAME …] [--list] [--tests PATH …] [PYTEST OPTION …]

Without a name every variation runs, one after the other, each on the tests that can see it. A variation that this
machine cannot have is said, with what is missing. Exits with 1 where a test failed.
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
    "test_hold.py::test_a_live_run_is_safe_where_every_lock_is_granted",
    "test_hold.py::test_a_lock_of_an_earlier_version_on_a_mount_that_grants_every_lock",
    "test_hold.py::test_a_process_in_another_container_or_boot_counts_by_its_heartbeat",
    "test_hold.py::test_a_run_of_another_host_is_had_only_when_its_heartbeat_has_stopped",
    "test_listing.py::test_a_run_of_this_process_is_live_from_its_first_moment",
    "test_listing.py::test_a_run_on_another_host_is_live_while_it_says_something",
    "test_listing.py::test_a_run_that_is_gone_on_with_is_live_before_its_model_stands",
)
"""Tests that compare a file's time of change with the clock; libfaketime moves the clock alone."""
DATE = datetime(2032, 2, 29, 23, 58, 30)
"""From which on the clock of all processes goes, whenever they begin."""

Missing = Callable[[], str]
"""What this machine lacks for a variation; empty where nothing is lacking."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One way in which another machine differs.

    `tests` are those that can see it; the whole suite where anything might.
    """

    name: str
    what: str
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Beginnings of the names of tests in tests/engine/runs that cannot hold there."""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    missing: Missing = lambda: ""
    busy: bool = False


def numpy_dispatched() -> str:
    """The groups of CPU features that numpy uses here beyond those that it was built for, by its own names."""
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
        return "only root can become another user; this is another than root already"
    if not shutil.which("setpriv"):
        return "there is no setpriv here"
    tried = subprocess.run([*AS_OTHER, sys.executable, "-c", ""], cwd=ROOT, capture_output=True, check=False)
    return f"{OTHER_USER} may not run {sys.executable}, or read where it lies" if tried.returncode else ""


AS_OTHER = ("setpriv", f"--reuid={OTHER_USER}", "--regid=nogroup", "--clear-groups")

VARIATIONS = (
    Variation(
        name="cpu",
        what="a CPU without AVX: torch, numpy and oneDNN as they are there",
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
    Variation(name="busy", what="two other processes that use all they can get", tests=EVERYTHING, busy=True),
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
        what="another seed for the hashes of texts in every process",
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
        what="a HOME that is not there and cannot be made",
        tests=FILES,
        environment={"HOME": "/proc/nobody"},
    ),
    Variation(
        name="user",
        what=f"the user {OTHER_USER}, with a HOME that is not there",
        tests=FILES,
        environment={"HOME": "/proc/nobody", "USER": None, "LOGNAME": None},
        before=AS_OTHER,
        missing=lacks_other_user,
    ),
)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes beside this one that compute all the time."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(variation: Variation, tests: Sequence[str], options: Sequence[str]) -> int:
    """Run tests under a variation; pytest's exit status."""
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
    parser.add_argument("--tests", nargs="+", metavar="PATH", default=[], help="other tests than a variation's own")
    asked, options = parser.parse_known_args()
    if asked.list:
        print("\n".join(f"{variation.name:10} {variation.what}" for variation in VARIATIONS))
        return 0
    if unknown := ", ".join(name for name in asked.names if name not in known):
        parser.error(f"there is no variation {unknown}; there are {', '.join(known)}")
    results = {}
    for variation in [known[name] for name in asked.names] or VARIATIONS:
        missing = variation.missing()
        print(f"\n{variation.name}: {variation.what}", flush=True)
        failed = not missing and run(variation, asked.tests or variation.tests, options)
        results[variation.name] = f"not run: {missing}" if missing else "FAILED" if failed else "passed"
    print("\n" + "\n".join(f"{name:10} {result}" for name, result in results.items()))
    return int("FAILED" in results.values())


if __name__ == "__main__":
    sys.exit(main())
