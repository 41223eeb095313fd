"""Runs: list, show and remove runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from tui.cli.errors import refuse
from tui.cli.options import Json, Run, RunsDir, command_group, runs_folder
from tui.tables.text import plain

commands = command_group("runs", "List, show or remove runs.\n\nWithout a command, all runs are listed, newest first.")


@commands.callback(invoke_without_command=True)
def runs(context: typer.Context, runs_dir: RunsDir = None, as_json: Json = False) -> None:
    """List runs, newest first."""
    directory = runs_folder(runs_dir)
    context.obj = as_json
    if context.invoked_subcommand is None:
        from tui.printing.runs import runs_as_json, runs_as_text

        _finish_removals(directory)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(runs_as_json(directory) if as_json else runs_as_text(directory, width))


@commands.command("show")
def show(context: typer.Context, run: Run = None, as_json: Json = False, runs_dir: RunsDir = None) -> None:
    """Show one run: its experiment, its epochs and its end."""
    from engine import find_run
    from tui.printing.runs import run_as_json, run_as_text

    path = find_run(runs_folder(runs_dir), run)
    print(run_as_json(path) if as_json or context.obj else run_as_text(path))


@commands.command("rm")
def rm(
    runs_: Annotated[list[str], typer.Argument(metavar="RUN…", help="The names of the runs.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Remove runs and their checkpoints.

    An active run is not removed.
    """
    from engine import find_run, list_runs, remove_run

    directory = runs_folder(runs_dir)
    _finish_removals(directory)
    paths = list(dict.fromkeys(find_run(directory, run) for run in runs_))
    if outside := [str(p) for p in paths if p.parent != directory]:
        refuse(f"{', '.join(outside)}: it is not in {directory}. Name its folder with --runs-dir.")
    live = {r.path for r in list_runs(directory) if r.status == "live"}
    if active := [p.name for p in paths if p in live]:
        refuse(f"{', '.join(active)}: an active run is not removed. Stop it first.")
    names = ", ".join(p.name for p in paths)
    if not yes and not sys.stdin.isatty():
        refuse(f"{names}: there is no terminal to confirm on. Pass --yes to remove without asking.")
    if not yes and not typer.confirm(plain(f"Remove {names} permanently?"), err=True):
        raise typer.Exit(1)
    for path in paths:
        remove_run(path)


def _finish_removals(runs_dir: Path) -> None:
    """Finish removals that were interrupted, and print which."""
    from engine import finish_removals

    for name in finish_removals(runs_dir):
        print(plain(f"{name}: its removal was interrupted; it is removed now."), file=sys.stderr)
