"""Data, presets and catalog: the commands that list what an experiment can be made of."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tui.cli.errors import refuse
from tui.cli.options import Json, Set, command_group
from tui.tables.text import columns, json_line

commands = command_group()


@commands.command()
def data(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE|PRESET|FILE", help="A data source, a preset, a TOML file or a data file."),
    ],
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Show samples, classes, shapes and ranges of a data source."""
    from tui.printing.data import data_as_dict, data_draft, print_data

    draft = data_draft(source, set_ or [])
    if draft.experiment is None or draft.mistakes:
        refuse(*draft.mistakes)
    from engine import download_data, known_data, preview_data
    from tui.printing.progress import reading_progress

    with reading_progress():
        download_data(draft.experiment.data)
        shown = preview_data(known_data(draft.experiment).data, draft.experiment.seed)
    if as_json:
        print(json_line(data_as_dict(shown)))
    else:
        print_data(shown, draft.experiment, sys.stdout)


@commands.command()
def presets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The preset to print as TOML.")] = None,
) -> None:
    """List the presets, or print one as TOML.

    torchdeck presets digits-cnn > mine.toml writes a preset to a file.
    """
    from engine import preset_names, preset_text, presets, unknown_name

    if name is None:
        print(columns((p.name, p.summary) for p in presets()))
    elif name in preset_names():
        print(preset_text(name), end="")
    else:
        refuse(unknown_name("preset", name, preset_names(), "a preset"))


@commands.command()
def catalog(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind, such as layers, losses or optimizers.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An entry of that kind.")] = None,
    as_json: Json = False,
) -> None:
    """List what can be chosen, or explain one entry.

    KIND lists its entries. NAME prints the parameters of one entry, and when to use it.
    """
    from tui.printing.catalog import catalog_text

    print(catalog_text(kind, name, as_json=as_json))
