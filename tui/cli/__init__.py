"""The `torchdeck` command.

Text for people goes to stderr where a program may read stdout; with `--json`, stdout holds JSON alone. Exit status:
0 done, 1 the run failed, 2 the request is wrong, 130 interrupted with everything saved. No command imports torch
before it needs it.

Each module of `tui.cli.commands` is a group of commands. A new file there adds its commands, without another change.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
from typing import Annotated

import typer

from tui.cli import commands
from tui.cli.errors import deck_needs_terminal, print_mistakes
from tui.cli.options import RunsDir, runs_folder
from tui.cli.process import escape_missing_letters, exit_without_teardown, report_sigterm

ORDER = ("training", "control", "checking", "catalog", "settings", "runs", "probes")
"""The groups in the order of `torchdeck --help`; other groups follow by name."""

app = typer.Typer(
    name="torchdeck",
    help="Build neural networks, train them with PyTorch, and watch them learn.\n\nWithout a command, the deck opens.",
    no_args_is_help=False,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def add_commands(app: typer.Typer) -> None:
    """Add every group of `tui.cli.commands` to an application."""
    names = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    for name in (*(name for name in ORDER if name in names), *sorted(names - set(ORDER))):
        app.add_typer(importlib.import_module(f"{commands.__name__}.{name}").commands)


add_commands(app)


@app.callback(invoke_without_command=True)
def deck(
    context: typer.Context,
    runs_dir: RunsDir = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Open the deck on the presets and runs."""
    if version:
        from importlib.metadata import version as installed

        print(f"torchdeck {installed('torchdeck')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from tui.launch import run_deck

        deck_needs_terminal("See torchdeck --help for commands that do not.")
        raise typer.Exit(run_deck(runs_dir=runs_folder(runs_dir)))


def main() -> None:
    """Run the command of this process; the console script."""
    report_sigterm()
    with exit_without_teardown():
        _run()


def _run() -> None:
    from engine import Refused

    escape_missing_letters()
    try:
        app(standalone_mode=True)
    except Refused as refused:
        print_mistakes(refused.mistakes)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout has exited (`torchdeck presets | head`). Flushing it at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
