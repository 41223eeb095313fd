"""A locale that lacks letters is named where it cannot show a name; one that has them is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def presets(cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-m", "tui.cli", "presets"],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(Path(__file__).parents[2])} | environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"LC_ALL": "C"} | PYTHON, "LC_ALL=C; "),
        ({"LANG": "POSIX"} | PYTHON, "LANG=POSIX; "),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"} | PYTHON, "LC_ALL=POSIX; "),
    ],
)
def test_a_locale_without_some_letters_is_named(environ: dict[str, str], named: str, tmp_path: Path) -> None:
    done = presets(tmp_path, **environ)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1 and named in done.stderr and "LC_ALL=C.UTF-8" in done.stderr
    assert r"8\xd78" in done.stdout


def test_a_locale_that_has_them_is_not(tmp_path: Path) -> None:
    done = presets(tmp_path, LC_ALL="C.UTF-8")
    assert done.returncode == 0 and done.stderr == "" and "8×8" in done.stdout
