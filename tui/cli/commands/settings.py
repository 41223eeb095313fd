"""Settings and devices: the commands that show what torchdeck runs with."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tui.cli.errors import refuse
from tui.cli.options import Json, command_group
from tui.tables.text import columns, json_line

commands = command_group()


@commands.command()
def settings(
    as_json: Json = False,
    edit: Annotated[bool, typer.Option("--edit", help="Open the file in $EDITOR. A missing file is created.")] = False,
) -> None:
    """Show the settings, their defaults and every mistake in them."""
    from tui.preferences.settings import settings_file
    from tui.printing.settings import edit_file, print_settings, settings_as_dict

    file = settings_file()
    if edit and (problem := edit_file(file)):
        refuse(problem)
    shown = settings_as_dict(file)
    if as_json:
        print(json_line(shown))
    elif not edit:
        print_settings(shown, sys.stdout)
    if shown["mistakes"]:
        refuse(*shown["mistakes"])


@commands.command()
def devices(as_json: Json = False) -> None:
    """List the devices to train on."""
    from dataclasses import asdict

    from engine import list_devices
    from tui.quantities import scaled_text

    if as_json:
        print(json_line([asdict(d) for d in list_devices()]))
        return
    rows = [("device", "name", "memory", "free", "precisions", "")]
    for d in list_devices():
        free = "" if d.free_bytes is None else scaled_text(d.free_bytes, "B")
        rows.append((d.device, d.name, scaled_text(d.memory_bytes, "B"), free, " ".join(d.precisions), d.note))
    print(columns(rows))
