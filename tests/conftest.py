"""Fixtures of all tests: no test reads the user's settings or leaves files behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from described_machine import DescribedMachine

import engine.machine

os.environ["CUDA_VISIBLE_DEVICES"] = ""
"""New processes, which do not use the described machine, have no GPU either."""


@pytest.fixture(autouse=True)
def described_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[DescribedMachine], None]:
    """The same machine wherever the tests run; a test may call this with another one."""

    def describe(machine: DescribedMachine) -> None:
        monkeypatch.setattr(engine.machine, "_machine", machine)

    describe(DescribedMachine())
    return describe


@pytest.fixture(autouse=True)
def empty_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate folder for settings and state for each test."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for name in ("COLUMNS", "LINES"):  # readline sets them in the environment of pytest's workers
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return folder


@pytest.fixture(autouse=True)
def empty_data_cache() -> None:
    """No cached data of another test: this one may have replaced the files or the library."""
    if "engine.data.load" in sys.modules:
        sys.modules["engine.data.load"].forget()


@pytest.fixture
def own_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the data that users provide: a file for airline-lstm, a folder for imdb-lstm."""
    import airline
    import text_files

    folder = tmp_path_factory.mktemp("own")
    monkeypatch.chdir(folder)
    airline.written(folder / "AirPassengers.csv")
    text_files.imdb(folder / "aclImdb", train=320)
    return folder
