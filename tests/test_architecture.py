"""ARCHITECTURE.md: the files that it names exist, and a run passes through them in the order that it gives."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
WAY = re.findall(r"^\d+\. `([^`]+)`", TEXT, re.MULTILINE)

# Records the files whose functions are called, in the order of their first call, until the first training step. The
# code of a class or a module runs when it is imported; only functions have CO_OPTIMIZED.
RECORD = """
import json, sys, threading
from inspect import CO_OPTIMIZED
root, order = sys.argv.pop(1), {}
def record(frame, event, argument):
    file = frame.f_code.co_filename
    if event == "call" and frame.f_code.co_flags & CO_OPTIMIZED and file.startswith(root):
        order.setdefault(file.removeprefix(root), None)
        if file.endswith("engine/training/train_step.py"):
            threading.setprofile(None)
            sys.setprofile(None)
threading.setprofile(record)
sys.setprofile(record)
from tui.cli import main
try:
    main()
finally:
    sys.setprofile(None)
    print(json.dumps(list(order)))
"""


def test_a_run_passes_through_the_files_of_the_list_in_their_order(tmp_path: Path) -> None:
    assert 10 <= len(WAY) <= 15
    command = ["train", "digits-cnn", "--headless", "--set", "training.epochs=1", "--set", "training.device=cpu"]
    done = subprocess.run(
        [sys.executable, "-c", RECORD, f"{ROOT}/", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    called = json.loads(done.stdout.splitlines()[-1])
    assert [file for file in called if file in WAY] == WAY


def test_every_file_that_the_page_names_exists() -> None:
    named = [path for path in re.findall(r"`((?:engine|tui|tests)/[^`]+)`", TEXT) if "…" not in path]
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_package_of_the_engine_is_on_the_page() -> None:
    packages = {path.parent.name for path in (ROOT / "engine").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| `engine/(\w+)` \|", TEXT, re.MULTILINE))
