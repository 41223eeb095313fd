"""Write an experiment as TOML, laid out as a person would: parts as tables, one layer a line."""

from __future__ import annotations

from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.items import Array, InlineTable

from engine.experiment.document import Experiment


def dumps(experiment: Experiment) -> str:
    """The whole experiment, defaults and seed included; reading it again gives the same experiment.

    What is None is left out, since TOML has no such value and None is the default wherever it is allowed.
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
