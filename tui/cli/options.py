"""The arguments and options that several commands share, and what they stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tui.cli.errors import print_mistakes


def command_group(name: str | None = None, help: str | None = None, *, no_args_is_help: bool = False) -> typer.Typer:
    """A group of commands; without a name, they stand next to those of other groups."""
    return typer.Typer(name=name, help=help, no_args_is_help=no_args_is_help, rich_markup_mode=None)


PresetOrFile = Annotated[str, typer.Argument(metavar="PRESET|FILE", help="The name of a preset, or a TOML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field, such as optimizer.lr=3e-4. Repeatable."),
]
Fold = Annotated[
    str | None,
    typer.Option("--fold", metavar="K/N", help="Validate on part K of N, such as 2/5. It sets data.fold."),
]


def _last_runs_dir(context: typer.Context, value: str | None) -> str | None:
    """Keep the last --runs-dir: it may stand before the name of a subcommand and after it."""
    if value is not None:
        context.meta["runs_dir"] = value
    return context.meta.get("runs_dir")


RunsDir = Annotated[
    str | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        help="The folder of runs. Default: $TORCHDECK_RUNS, the settings, or ./runs.",
        callback=_last_runs_dir,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Run in the background; closing the terminal does not stop it."),
]
Headless = Annotated[bool, typer.Option("--headless", help="Print progress on stderr instead of opening the deck.")]
Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The name of a run, or its beginning. Default: the newest run."),
]
ActiveRun = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The name of a run, or its beginning. Default: the newest active run."),
]


def changes(set_: list[str] | None, fold: str | None) -> list[str]:
    """What --set and --fold change in a document, each as a value of --set.

    A fold replaces the share of samples that is held out, so the document's share is reset to its default.
    """
    if fold is None:
        return set_ or []
    from engine import Data

    default = Data.model_fields["validation"].default
    return [f"data.validation={default}", *(set_ or []), f"data.fold={fold}"]


def runs_folder(option: str | None) -> Path:
    """The folder of runs: of the option, else of TORCHDECK_RUNS, else of the settings, else ./runs."""
    from engine import runs_dir
    from tui.preferences.settings import read_settings, settings_file

    if option is None and not os.environ.get("TORCHDECK_RUNS") and (file := settings_file()) and os.path.isfile(file):
        settings, wrong = read_settings()
        print_mistakes(one for one in wrong if one.key in ("", "runs_dir"))
        option = settings.runs_dir
    return runs_dir(option)
