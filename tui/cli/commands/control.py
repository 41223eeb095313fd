"""Stop, pause and continue: the commands that steer an active run."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from tui.cli.errors import print_mistakes
from tui.cli.options import ActiveRun, RunsDir, command_group, runs_folder
from tui.tables.text import plain

commands = command_group()

Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long to wait for the run to answer.")
]


@commands.command()
def stop(run: ActiveRun = None, runs_dir: RunsDir = None, timeout: Timeout = 60.0) -> None:
    """Stop a run at its next step and keep its model.

    The command returns when everything is saved.
    """
    _send("stop", run, runs_dir, timeout)


@commands.command()
def pause(
    run: ActiveRun = None,
    release: Annotated[bool, typer.Option("--release", help="Free the device memory while the run is paused.")] = False,
    runs_dir: RunsDir = None,
    timeout: Timeout = 60.0,
) -> None:
    """Pause a run at its next step.

    Continue it with `torchdeck continue`.
    """
    _send("release" if release else "pause", run, runs_dir, timeout)


@commands.command("continue")
def continue_(run: ActiveRun = None, runs_dir: RunsDir = None, timeout: Timeout = 60.0) -> None:
    """Continue a paused run."""
    _send("continue", run, runs_dir, timeout)


def _send(
    command: Literal["stop", "pause", "release", "continue"], run: str | None, runs_dir: str | None, timeout_s: float
) -> None:
    """Send a command to a run, wait for its answer and print it."""
    from engine import Finished, Refused, Simple, find_run, send_command
    from tui.answers import answer_text
    from tui.exit_messages import end_lines

    path = find_run(runs_folder(runs_dir), run, live=True)
    try:
        answer = send_command(path, Simple(command=command), timeout_s=timeout_s)
    except Refused as refused:
        print_mistakes(refused.mistakes)
        raise typer.Exit(1) from refused
    if isinstance(answer, Finished):
        print("\n".join(end_lines(path, answer)), file=sys.stderr)
    else:
        print(plain(f"{path.name}: {answer_text(answer)}"), file=sys.stderr)
