"""The wheel installs all of torchdeck, and it runs from any folder."""

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built with installed packages and without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("torchdeck-*.whl")
    return path


@pytest.fixture(scope="session")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `torchdeck` of another environment, with the wheel and the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    purelib = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    # A plain path in a .pth adds that folder without reading the .pth files in it, so the tree itself is not seen.
    # Dependencies may be in several folders, such as those of the system.
    seen = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (purelib / "dependencies.pth").write_text("\n".join(seen) + "\n")
    return folder / "bin" / "torchdeck"


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "TORCHDECK_RUNS")}
    return subprocess.run(
        [str(command), *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_wheel_has_all_files_of_the_packages_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = {
        path.relative_to(ROOT).as_posix()
        for package in ("engine", "tui", "presets")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == tree
    assert {"presets/digits-cnn.toml", "tui/screens/train.tcss", "engine/training/session.py"} <= held


def test_the_metadata_of_the_wheel_is_complete(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        info = next(name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        scripts = configparser.ConfigParser()
        scripts.read_string(archive.read(f"{info}/entry_points.txt").decode())
    assert dict(scripts["console_scripts"]) == {"torchdeck": "tui.cli:main"}
    assert metadata["Requires-Python"] == ">=3.11"
    extras = sum(map(len, project["optional-dependencies"].values()))
    assert len(metadata.get_all("Requires-Dist", [])) == len(project["dependencies"]) + extras
    assert str(metadata.get_payload()).startswith("# torchdeck")
    assert metadata["License-Expression"] == "MIT"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE").decode().startswith("MIT License")
        assert {"engine/py.typed", "tui/py.typed"} <= set(archive.namelist())


def test_the_installed_command_imports_the_installed_packages(elsewhere: Path, tmp_path: Path) -> None:
    code = "import json, engine, tui, presets; print(json.dumps([m.__file__ for m in (engine, tui, presets)]))"
    done = run(elsewhere.with_name("python"), "-c", code, cwd=tmp_path)
    environment = elsewhere.parent.parent
    assert all(Path(path).is_relative_to(environment) for path in json.loads(done.stdout)), done.stdout + done.stderr


def test_the_installed_command_finds_its_presets_from_anywhere(elsewhere: Path, tmp_path: Path) -> None:
    done = run(elsewhere, "presets", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.stem for path in (ROOT / "presets").glob("*.toml")}
    assert len(names) >= 6 and all(name in done.stdout for name in names)
    for name in names:
        shown = run(elsewhere, "presets", name, cwd=tmp_path)
        assert tomllib.loads(shown.stdout) == tomllib.loads((ROOT / "presets" / f"{name}.toml").read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["check", "digits-cnn", "--json"],
        ["catalog", "optimizers", "Adam"],
        ["runs"],
        ["devices"],
    ],
    ids=" ".join,
)
def test_every_command_runs_where_the_wheel_is_installed(elsewhere: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = run(elsewhere, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_the_package_runs_as_a_module(elsewhere: Path, tmp_path: Path) -> None:
    by_module = run(elsewhere.with_name("python"), "-m", "tui", "--version", cwd=tmp_path)
    assert by_module.returncode == 0, by_module.stderr
    assert by_module.stdout == run(elsewhere, "--version", cwd=tmp_path).stdout != ""
    usage = run(elsewhere.with_name("python"), "-m", "tui", "check", cwd=tmp_path).stderr
    assert "Usage: python -m tui check" in usage


def test_a_run_is_trained_where_the_wheel_is_installed(elsewhere: Path, tmp_path: Path) -> None:
    done = run(elsewhere, "train", "digits-cnn", "--json", "--set", "training.epochs=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "finished" and events[-1]["reason"] == "completed"
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_every_dependency_is_pinned_by_name_and_version_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+", line) for line in lines)
    pins = {canonical(line.partition("==")[0]) for line in lines}
    assert len(pins) == len(lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {canonical(re.match(r"[A-Za-z0-9._-]+", text)[0]) for text in asked} <= pins  # type: ignore[index]
