"""What every test has in common: nothing that a person has set or left is read, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from described_machine import DescribedMachine

import engine.machine

os.environ["CUDA_VISIBLE_DEVICES"] = ""
"""Fresh processes, which know no described machine, have no GPU either."""


@pytest.fixture(autouse=True)
def described_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[DescribedMachine], None]:
    """A machine that is the same wherever the tests run; a test may call this with one of its own."""

    def describe(machine: DescribedMachine) -> None:
        monkeypatch.setattr(engine.machine, "_machine", machine)

    describe(DescribedMachine())
    return describe


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for settings and state that is this test's alone."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for name in ("COLUMNS", "LINES"):  # readline puts them into what pytest's workers inherit
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return folder


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """No data that another test has loaded: this one may have put other files, or another library, in its place."""
    if "engine.data.load" in sys.modules:
        sys.modules["engine.data.load"].forget()


@pytest.fixture
def own_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is one with what presets ask their readers for: airline-lstm a file, imdb-lstm a folder."""
    import airline
    import text_files

    folder = tmp_path_factory.mktemp("own")
    monkeypatch.chdir(folder)
    airline.written(folder / "AirPassengers.csv")
    text_files.imdb(folder / "aclImdb", train=320)
    return folder
