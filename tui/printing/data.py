"""A dataset as text: its kind, its figures, drawings of samples, its classes; or all of it as JSON."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.text import Text
from textual.content import Content

from engine import (
    DATA_SOURCES,
    Draft,
    Experiment,
    preset_names,
    read_experiment,
    reads_experiment,
    source_of_file,
    unknown_name,
)
from tui.pictures.frame import Look
from tui.pictures.samples import samples
from tui.tables.text import columns
from tui.terminal.kind import terminal_kind

if TYPE_CHECKING:
    from engine import DataPreview

_STYLES = {"$muted": "dim", "$primary": "cyan", "$accent": "yellow", "$success": "green", "$warning": "magenta"}
"""The theme variables of pictures, as colours that every terminal has."""
_ALL_ROWS = 10_000
"""More rows than any picture needs."""

_NO_MODEL = 'model.layers = ["Identity"]\n'


def data_draft(name: str, overrides: list[str]) -> Draft:
    """The document of a preset or a TOML file; or a minimal document for a data source or a data file."""
    if source := source_of_file(name):
        document = f'data.source = "{source.name}"\ndata.path = {json.dumps(name)}\n{_NO_MODEL}'
        return reads_experiment(document, overrides, origin=name)
    if name in preset_names() or os.path.exists(name) or name.endswith(".toml") or os.sep in name:
        return read_experiment(name, overrides)
    if name in DATA_SOURCES:
        return reads_experiment(f'data.source = "{name}"\n{_NO_MODEL}', overrides, origin=name)
    return Draft(
        None, (unknown_name("data", name, [*DATA_SOURCES, *preset_names()], "a data source, a preset or a file"),)
    )


def print_data(preview: DataPreview, experiment: Experiment, file: TextIO) -> None:
    """Print a preview to a terminal, with its colours, or to another file, without colours."""
    console = Console(file=file, highlight=False, soft_wrap=True)
    look = _look(console, file)
    width = shutil.get_terminal_size((100, 24)).columns
    d = preview.description
    notes = [*d.notes, *(f"{warning.severity}: {warning}" for warning in d.warnings)]
    head = columns([("data", f"{d.source}: {d.input_kind}, {d.task}"), *[("", note) for note in notes]])
    picture = samples(preview, experiment, max(20, min(width, 120)), _ALL_ROWS, look)
    if not console.is_terminal:
        print(f"{head}\n\n{picture.plain}", file=file)
        return
    console.print(head, markup=False)
    console.print()
    console.print(_rich(picture), no_wrap=True)


def data_as_dict(preview: DataPreview) -> dict[str, Any]:
    """A preview for JSON: `data` as in `check --json`, and figures and samples."""
    shown = asdict(preview)
    classes = preview.description.classes
    counts = {part: dict(zip(classes, shown.pop(f"{part}_counts"), strict=False)) if classes else {} for part in _PARTS}
    for sample in shown["samples"]:
        for name in [name for name, value in sample.items() if value in ("", ())]:
            del sample[name]
    return {"data": shown.pop("description"), "counts": counts, **shown}


_PARTS = ("train", "val")


def _look(console: Console, file: TextIO) -> Look:
    """Pixels where the terminal has enough colours; letters where it has no other characters."""
    narrow = not (getattr(file, "encoding", None) or "").lower().startswith("utf")
    colours = console.is_terminal and console.color_system in ("256", "truecolor") and not console.no_color
    return Look(marker="ascii" if narrow else terminal_kind().marker, colour=colours and not narrow)


def _rich(content: Content) -> Text:
    """A picture as text of rich."""
    text = Text(content.plain)
    for start, end, style in content.spans:
        text.stylize(_STYLES.get(style, style) if isinstance(style, str) else style.rich_style, start, end)
    return text
