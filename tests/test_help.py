"""The help of every command: its first line is shown whole in the list of commands of a terminal of 80 columns."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner

import tui.cli.commands
from tui.cli import app

VERBS = {
    "Build",
    "Check",
    "Continue",
    "Find",
    "List",
    "Open",
    "Pause",
    "Print",
    "Remove",
    "Show",
    "Stop",
    "Test",
    "Train",
    "Watch",
}


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = typer.main.get_command(app) if command is None else command
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = dict(commands())


def help_of(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}, terminal_width=80)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_line_of_help_is_cut_or_wider_than_the_terminal(path: tuple[str, ...]) -> None:
    lines = help_of(path).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith(("…", "...")) for line in lines if not line.startswith("Usage:"))
    for name, inner in getattr(ALL[path], "commands", {}).items():
        (listed,) = [line for line in lines if line.split()[:1] == [name]]
        assert listed.split(maxsplit=1)[1] == inspect.cleandoc(inner.help).partition("\n")[0]


@pytest.mark.parametrize("path", [path for path in ALL if path], ids=" ".join)
def test_the_first_line_of_help_is_short_and_begins_with_a_verb(path: tuple[str, ...]) -> None:
    first = inspect.cleandoc(ALL[path].help).partition("\n")[0]
    assert len(first) <= 60 and first.endswith(".")
    assert first.split()[0].rstrip(",") in VERBS


GREETING = '''
from tui.cli.options import command_group

commands = command_group()


@commands.command()
def greet() -> None:
    """Print a greeting."""
    print("hello")
'''


def test_a_new_file_adds_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greeting.py").write_text(GREETING)
    monkeypatch.setattr(tui.cli.commands, "__path__", [*tui.cli.commands.__path__, str(tmp_path)])
    extended = typer.Typer(rich_markup_mode=None)
    tui.cli.add_commands(extended)
    assert CliRunner().invoke(extended, ["greet"]).output == "hello\n"
    listed = CliRunner().invoke(extended, ["--help"]).output.split("Commands:")[1].splitlines()
    assert [line.split()[0] for line in listed if line] == [path[0] for path in ALL if len(path) == 1] + ["greet"]


def test_every_command_that_means_a_run_takes_its_folder_after_its_name_and_before(tmp_path: Any) -> None:
    takes = [path for path, command in ALL.items() if any(p.name in ("run", "runs_") for p in command.params)]
    assert ("runs", "show") in takes and ("attach",) in takes and len(takes) >= 7
    for path in takes:
        last = ["digits"] if path == ("runs", "rm") else []
        for arguments in (
            [*path, "--runs-dir", str(tmp_path / "x"), *last],
            ["--runs-dir", str(tmp_path / "x"), *path, *last],
            [*path[:1], "--runs-dir", str(tmp_path / "x"), *path[1:], *last],
            ["--runs-dir", "elsewhere", *path, "--runs-dir", str(tmp_path / "x"), *last],
        ):
            result = CliRunner().invoke(app, arguments, env={"TORCHDECK_RUNS": str(tmp_path / "y")})
            assert result.exception is not None and str(tmp_path / "x") in f"{result.exception}{result.output}"
