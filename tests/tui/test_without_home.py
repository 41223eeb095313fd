"""A user without HOME, without a passwd entry, or with a home folder that cannot be written."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from homeless_program import not_listed
from screen_text import screen_text
from test_home_screen import settle
from textual.widgets import Input

from engine.data.parameters import source_mistakes
from engine.experiment import Refused, read
from engine.experiment.document import Data
from engine.model.published_weights import WeightsFile, download_weights, weights_files
from engine.runs import runs_dir
from engine.user_folders import NO_HOME, cache_folder, config_folder, expanded, home, home_problem, state_folder
from tui.deck.app import Deck
from tui.dialogs.ask import AskScreen
from tui.dialogs.picker import PickerScreen
from tui.preferences.memory import Memory, memory_file
from tui.preferences.settings import read_settings, settings_file
from tui.screens.design import DesignScreen
from tui.services.unsaved import RecentFiles, UnsavedFiles
from tui.terminal.streams import open_log

OWN = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TORCHDECK_RUNS", "TORCH_HOME", "HF_HOME")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", not_listed)
    monkeypatch.setattr(pwd, "getpwnam", not_listed)


def command(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in OWN} | environ
    program = Path(__file__).with_name("homeless_program.py")
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.usefixtures("homeless")
def test_without_a_home_there_is_no_folder() -> None:
    assert home() is config_folder() is state_folder() is cache_folder() is settings_file() is None
    assert str(expanded("~/a")) == "~/a" and home_problem("~/a") == NO_HOME
    assert home_problem("~nobody-here/a") == "there is no user nobody-here"
    assert home_problem("a/~b") == home_problem("/~") == ""


@pytest.mark.parametrize(
    ("variable", "folder"), [("CONFIG", config_folder), ("STATE", state_folder), ("CACHE", cache_folder)]
)
@pytest.mark.usefixtures("homeless")
def test_a_named_folder_works_without_a_home(variable: str, folder: Callable[..., Path | None]) -> None:
    assert folder({f"XDG_{variable}_HOME": "/x/y"}) == Path("/x/y/torchdeck")
    assert folder({f"XDG_{variable}_HOME": "relative"}) is None
    below = folder({f"XDG_{variable}_HOME": "relative", "HOME": "/h"})
    assert below is not None and below.is_relative_to("/h")


@pytest.mark.parametrize("given", ["", "relative", "."])
@pytest.mark.usefixtures("homeless")
def test_a_home_that_is_not_a_private_folder_does_not_count(given: str) -> None:
    assert home({"HOME": given}) is None


@pytest.mark.skipif(not hasattr(os, "fork") or os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_passwd_entry_has_no_home() -> None:
    pid = os.fork()
    if not pid:
        for name in OWN:
            os.environ.pop(name, None)
        os.setuid(12345)
        os._exit(0 if home() is None and settings_file() is None and home_problem("~") == NO_HOME else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.usefixtures("homeless")
def test_without_a_home_nothing_is_stored_and_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings()[1] == []
    file, why = memory_file()
    assert file is None and NO_HOME in why and why.count(". ") == 1
    descriptor, log = open_log()
    os.close(descriptor)
    Path(log).unlink()
    assert UnsavedFiles().of_earlier_decks() == [] and RecentFiles().list() == []
    RecentFiles().add(tmp_path / "a.toml")
    assert list(tmp_path.iterdir()) == []


def test_the_deck_works_with_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    for folder in (file, file / "not there"):  # a folder cannot be made below a file, whoever asks
        monkeypatch.setenv("HOME", str(folder))
        assert memory_file()[0] is None and "Not a directory" in memory_file()[1]
        assert read_settings()[0].theme == "auto"
        assert UnsavedFiles().of_earlier_decks() == [] and RecentFiles().list() == []
    monkeypatch.setenv("HOME", str(tmp_path / "not there"))
    assert memory_file()[0] is not None  # it is made


@pytest.mark.parametrize("path", ["~/data.csv", "~nobody-here/data.csv", "~"])
@pytest.mark.parametrize("field", ["path", "validation_path"])
@pytest.mark.usefixtures("homeless")
def test_a_path_in_a_document_reports_an_unknown_home(field: str, path: str) -> None:
    data = Data(source="table", **{"path": "a.csv", "target": "y", field: path})  # type: ignore[arg-type]
    (mistake,) = source_mistakes(data)
    assert mistake.path == f"data.{field}" and home_problem(path) in mistake.found
    assert "Write the full path" in mistake.fix


@pytest.mark.parametrize(
    ("source", "field"), [({"source": "mnist"}, "data.root"), ({"source": "huggingface", "path": "a/b"}, "data.path")]
)
@pytest.mark.usefixtures("homeless")
def test_a_download_needs_a_folder(source: dict[str, str], field: str, tmp_path: Path) -> None:
    (mistake,) = source_mistakes(Data(**source))  # type: ignore[arg-type]
    assert mistake.path == field and NO_HOME in mistake.found
    if field == "data.root":
        assert source_mistakes(Data(source="mnist", root=str(tmp_path))) == []


@pytest.mark.usefixtures("homeless")
def test_published_weights_need_a_folder_and_get_one_from_torch_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = read("resnet18-finetune").experiment
    assert experiment is not None
    (file,) = weights_files(experiment.model.layers)
    assert isinstance(file, WeightsFile) and file.mistake is not None and "TORCH_HOME" in file.mistake.fix
    with pytest.raises(Refused, match="no folder for the weights"):
        download_weights(experiment.model.layers)
    assert list(tmp_path.iterdir()) == []  # not a folder that is called ~
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert weights_files(experiment.model.layers)[0].mistake is None


@pytest.mark.parametrize("folder", ["~/runs", "~nobody-here/runs"])
@pytest.mark.usefixtures("homeless")
def test_a_folder_of_runs_reports_an_unknown_home(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=home_problem(folder)):
        runs_dir(folder)
    monkeypatch.setenv("TORCHDECK_RUNS", folder)
    with pytest.raises(Refused, match=home_problem(folder)):
        runs_dir()


def test_commands_work_without_a_home(tmp_path: Path) -> None:
    for arguments, says in (
        (("settings",), "There is no settings file: HOME is not set"),
        (("runs",), "no runs in"),
        (("presets",), "digits-cnn"),
        (("settings", "--json"), '"file": null'),
    ):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert says in done.stdout
    done = command("settings", "--edit", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "XDG_CONFIG_HOME" in done.stderr
    done = command("train", "~/mine.toml", cwd=tmp_path)
    assert done.returncode == 2 and NO_HOME in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_trains_without_a_home(tmp_path: Path) -> None:
    done = command("train", "wine", "--headless", "--set", "training.epochs=1", cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.usefixtures("homeless")
def test_the_deck_works_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remembered, why = memory_file()
    deck = Deck(tmp_path / "runs", producer=FakeProducer(), memory=Memory(remembered), wrong=[why])

    async def use() -> None:
        async with deck.run_test(size=(100, 30), notifications=True) as pilot:
            await settle(pilot, lambda: "18,602" in screen_text(deck))
            await pilot.press("enter")
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
            await pilot.press("x")
            await settle(pilot, lambda: bool(deck.documents.unsaved))
            await pilot.press("ctrl+o")
            await settle(pilot, lambda: isinstance(deck.screen, PickerScreen))
            await pilot.press("escape", "S")
            await settle(pilot, lambda: isinstance(deck.screen, AskScreen))
            deck.screen.query_one(Input).value = "~/mine.toml"
            await settle(pilot, lambda: "HOME is not set" in screen_text(deck).partition("Save as")[2][:400])
            deck.screen.query_one(Input).value = "mine.toml"
            await pilot.press("enter")
            await settle(pilot, lambda: not deck.documents.unsaved)
            assert sum(NO_HOME in str(note.message) for note in deck._notifications) == 2

    asyncio.run(use())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
