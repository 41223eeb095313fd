"""Imports: the engine imports no user interface, the deck no torch, and slow modules are imported only when needed."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCREEN = {"tui", "textual", "plotext", "typer", "rich", "click"}
SLOW = {"torch", "torchvision", "numpy", "scipy", "sklearn"}


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file names in imports, wherever in the file they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(a.value).partition(".")[0] for a in node.args if isinstance(a, ast.Constant))


def sources(package: str) -> list[Path]:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert len(paths) > 10
    return paths


def loaded_after(code: str, *arguments: str, cwd: Path | None = None) -> set[str]:
    """The top-level packages that are loaded when `code` has run in a Python of its own."""
    script = f"""
import json, sys
sys.argv[1:] = json.loads(sys.argv[1])
try:
{chr(10).join("    " + line for line in code.splitlines())}
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    [
        "engine",
        "engine.experiment",
        "engine.protocol.events",
        "engine.protocol.commands",
        "engine.runs",
        "engine.data.sources",
        "engine.probes.records",
        "tui.cli",
        "tui.pictures",
    ],
)
def test_modules_of_declarations_import_no_torch(module: str) -> None:
    loaded = loaded_after(f"import {module}")
    assert module.partition(".")[0] in loaded
    assert not loaded & SLOW


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["presets"],
        ["presets", "digits-cnn"],
        ["runs"],
        ["runs", "--json"],
    ],
    ids=" ".join,
)
def test_help_and_lists_import_neither_torch_nor_the_deck(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_after("from tui.cli import main\nmain()", *arguments, cwd=tmp_path)
    assert "typer" in loaded
    assert not loaded & (SLOW | {"textual", "plotext"})


def test_the_app_imports_no_torch() -> None:
    loaded = loaded_after("import tui.deck.app")
    assert "textual" in loaded
    assert not loaded & SLOW


def test_the_engine_imports_no_user_interface() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources("engine")]
    loaded = loaded_after("\n".join(f"import {name.removesuffix('.__init__')}" for name in names))
    assert "torch" in loaded
    assert not loaded & {"tui", "textual", "plotext", "typer"}


def test_probes_import_no_compiler() -> None:
    code = """
from engine.experiment import read
from engine.plan import check
from engine.probes import check_gradients, find_rate, memorise_batch
plan = check(read("mlp-diabetes"))
list(find_rate(plan, steps=3)), list(memorise_batch(plan, steps=3)), list(check_gradients(plan))
assert "torch._dynamo" not in sys.modules
"""
    assert "triton" not in loaded_after(code)


def test_no_file_of_the_engine_imports_a_user_interface() -> None:
    for path in sources("engine"):
        assert not set(imported(path)) & SCREEN, path


def test_no_file_of_the_deck_imports_torch() -> None:
    for path in sources("tui"):
        assert not set(imported(path)) & SLOW, path


def test_only_one_file_imports_plotext() -> None:
    importing = [path.relative_to(ROOT).as_posix() for path in sources("tui") if "plotext" in imported(path)]
    assert importing == ["tui/plots/raster.py"]


def test_no_file_reads_pickles() -> None:
    for path in [*sources("engine"), *sources("tui")]:
        assert not set(imported(path)) & {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}, (
            path
        )
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("torch.load", "eval", "exec", "yaml.load"), path
                if called in ("np.load", "numpy.load"):
                    allowed = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                    assert allowed.get("allow_pickle", "False") == "False", path


ASKS = (
    "virtual_memory",
    "device_count",
    "cpu_count",
    "sched_getaffinity",
    "disk_usage",
    "statvfs",
    "mem_get_info",
    "/proc/cpuinfo",
)


def test_only_one_file_inspects_the_machine() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for path in (*sources("engine"), *sources("tui"))
        if any(ask in path.read_text(encoding="utf-8") for ask in ASKS)
    }
    assert asking == {"engine/machine.py"}
