"""Write an experiment as readable TOML: sections as tables, one layer per line."""

from __future__ import annotations

from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, InlineTable

from engine.experiment.document import Experiment
from engine.experiment.paths import parse_path


def dumps(experiment: Experiment) -> str:
    """Write the whole experiment, including defaults and seed; reading it again gives the same experiment.

    None is left out: TOML has no such value, and None is the default of every field that allows it.
    """
    document = tomlkit.document()
    for name, value in experiment:
        if value is not None and not isinstance(value, BaseModel):
            document.add(name, tomlkit.item(value))
    for name, value in experiment:
        if isinstance(value, BaseModel):
            table = tomlkit.table()
            for key, inner in _fields(value).items():
                table.add(key, _layers(inner) if key == "layers" else _inline(inner))
            document.add(name, table)
    return tomlkit.dumps(document)


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, of a path in a document, or of the section in which it is missing.

    None if the section is missing too. tomlkit stores no positions but preserves the layout: if the value changes, the
    text differs from its position on.
    """
    try:
        document = tomlkit.parse(text)
        holder: Any = None
        here: Any = document
        for step in parse_path(path) or []:
            if isinstance(here, str) or not _holds(here, step):
                break
            holder, last, here = here, step, here[step]
        if holder is None:
            return None
        holder[last] = _SOMETHING_ELSE
        changed = tomlkit.dumps(document)
    except (TOMLKitError, LookupError, TypeError, ValueError, AttributeError):  # a layout that tomlkit cannot change
        return None
    at = next((i for i, (one, other) in enumerate(zip(text, changed, strict=False)) if one != other), 0)
    while text[at].isspace():  # the blank lines before a table belong to it
        at += 1
    return text.count("\n", 0, at) + 1


_SOMETHING_ELSE = "\0"


def _holds(holder: Any, step: str | int) -> bool:
    return step in range(len(holder)) if isinstance(holder, list) else isinstance(holder, dict) and step in holder


def _fields(part: BaseModel) -> dict[str, Any]:
    return {k: v for k, v in part if v is not None}


def _layers(layers: tuple[Any, ...]) -> Array:
    array = tomlkit.array()
    for layer in layers:
        array.append(_inline(layer))
    return array.multiline(True)


def _inline(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = _fields(value)
        return fields["type"] if set(fields) == {"type"} else _table(fields)
    if isinstance(value, dict):
        return _table({k: v for k, v in value.items() if v is not None})
    if isinstance(value, (list, tuple)):
        array = tomlkit.array()
        for item in value:
            array.append(_inline(item))
        return array
    return value


def _table(fields: dict[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    for key, value in fields.items():
        table.append(key, _inline(value))
    return table
