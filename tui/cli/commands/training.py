"""Train, design, resume and attach: the commands that show a run, in the deck or without it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tui.cli.errors import deck_needs_terminal, refuse
from tui.cli.options import (
    Detach,
    Fold,
    Headless,
    Json,
    PresetOrFile,
    Run,
    RunsDir,
    Set,
    changes,
    command_group,
    runs_folder,
)

if TYPE_CHECKING:
    from engine import PauseMode

commands = command_group()


@commands.command()
def train(
    experiment: PresetOrFile,
    set_: Set = None,
    fold: Fold = None,
    headless: Headless = False,
    as_json: Json = False,
    detach: Detach = False,
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="The name of the run.")] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Train an experiment.

    The deck opens on a terminal. With --headless or --json, or without a terminal, progress goes to stderr.
    """
    overrides = changes(set_, fold)
    if detach:
        options = [part for change in overrides for part in ("--set", change)]
        options += [] if name is None else ["--name", name]
        options += ["--runs-dir", str(runs_folder(runs_dir))]
        _detach(["train", "--headless", *options, "--", experiment], as_json=as_json)
    from engine import read_document

    draft = read_document(experiment, overrides if name is None else [*overrides, f"name={json.dumps(name)}"])
    directory = runs_folder(runs_dir)
    if headless or as_json or _no_terminal():
        from tui.headless import train_headless

        raise typer.Exit(train_headless(draft, directory, as_json=as_json))
    if draft.experiment is None:
        refuse(*draft.mistakes)
    from tui.launch import run_deck

    raise typer.Exit(run_deck(runs_dir=directory, draft=draft, source=experiment, train=True))


@commands.command()
def design(experiment: PresetOrFile, set_: Set = None, runs_dir: RunsDir = None) -> None:
    """Open the deck on an experiment to view and change it."""
    from engine import read_document
    from tui.launch import run_deck

    deck_needs_terminal(f"torchdeck check {experiment} prints the plan.")
    draft = read_document(experiment, set_ or [])
    if not draft.text:
        refuse(*draft.mistakes)
    raise typer.Exit(run_deck(runs_dir=runs_folder(runs_dir), draft=draft, source=experiment))


@commands.command()
def resume(
    run: Run = None,
    set_: Set = None,
    headless: Headless = False,
    as_json: Json = False,
    detach: Detach = False,
    paused: Annotated[bool, typer.Option("--paused", help="Start paused, before the first step.")] = False,
    released: Annotated[
        bool, typer.Option("--released", help="Start paused, without allocating device memory.")
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Continue a run from its last checkpoint.

    The results are the same as without the interruption. --set may change the epochs, the patience and the device.
    """
    from engine import find_run

    path, overrides = find_run(runs_folder(runs_dir), run), tuple(set_ or ())
    pause_mode: PauseMode | None = "release" if released else "pause" if paused else None
    if detach:
        options = [f"--set={override}" for override in overrides] + [f"--{pause_mode}d"] * (pause_mode is not None)
        _detach(["resume", "--headless", *options, "--", str(path)], pause_mode=pause_mode, as_json=as_json)
    if headless or as_json or _no_terminal():
        from tui.headless import resume_headless

        raise typer.Exit(resume_headless(path, overrides, as_json=as_json, pause_mode=pause_mode))
    from tui.launch import run_deck

    raise typer.Exit(run_deck(runs_dir=path.parent, resume=path, overrides=overrides, pause_mode=pause_mode))


@commands.command()
def attach(run: Run = None, headless: Headless = False, as_json: Json = False, runs_dir: RunsDir = None) -> None:
    """Watch a run that trains in another process, or has ended.

    Closing the deck does not stop the run.
    """
    from engine import find_run

    directory = runs_folder(runs_dir)
    path = find_run(directory, run)
    if headless or as_json:
        from tui.headless import attach_headless

        raise typer.Exit(attach_headless(path, as_json=as_json))
    from tui.launch import run_deck

    deck_needs_terminal(f"torchdeck attach {path.name} --headless prints the progress.")
    raise typer.Exit(run_deck(runs_dir=directory, open_run=path))


def _detach(arguments: list[str], *, pause_mode: PauseMode | None = None, as_json: bool) -> NoReturn:
    from tui.detach import start_detached

    raise typer.Exit(start_detached(arguments, pause_mode=pause_mode, as_json=as_json))


def _no_terminal() -> bool:
    from tui.terminal.streams import terminal_problem

    return bool(terminal_problem())
