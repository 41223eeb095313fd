"""The settings of runs, and the settings in which runs of one experiment differ."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Setting = str | int | float | bool

_LAYERS = "model.layers"
_PARAMETERS = "model.parameters"
_NOT_COMPARED = ("name", "training.epochs")
"""A list of runs has separate columns for these."""


class ComparedRun(Protocol):
    """What `differences` reads of a run."""

    @property
    def experiment_name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Setting]: ...


def settings_of(experiment: Mapping[str, Any], parameters: int, overrides: Iterable[str] = ()) -> dict[str, Setting]:
    """The settings of a run by their paths in the document. The layers are one setting: a checksum.

    Args:
        experiment: the document as data.
        parameters: the number of parameters of the model.
        overrides: what resumes changed, as `path=value`.
    """
    found: dict[str, Setting] = {_PARAMETERS: parameters}
    for path, value in _flat(experiment, ""):
        if path == _LAYERS:
            found[path] = f"#{zlib.crc32(json.dumps(value).encode()):08x}"
        elif path not in _NOT_COMPARED:
            found[path] = value if isinstance(value, Setting) else json.dumps(value)
    for override in overrides:
        path, _, text = override.partition("=")
        if path not in _NOT_COMPARED:
            found[path] = _value(text)
    return found


def differences(runs: Sequence[ComparedRun]) -> list[str]:
    """For each run, how it differs from the others of its experiment: `SGD · lr 0.1`; empty where it does not."""
    paths: dict[str, list[str]] = {}
    for name in {run.experiment_name for run in runs}:
        alike = [run.settings for run in runs if run.experiment_name == name and run.settings]
        known = dict.fromkeys(path for settings in alike for path in settings)
        paths[name] = [path for path in known if len({json.dumps(settings.get(path)) for settings in alike}) > 1]
        if _PARAMETERS in paths[name] and _LAYERS in paths[name]:
            paths[name].remove(_LAYERS)
    return [
        " · ".join(_text(path, run.settings[path]) for path in paths[run.experiment_name] if path in run.settings)
        for run in runs
    ]


def _flat(value: Mapping[str, Any], before: str) -> Iterable[tuple[str, Any]]:
    for key, inner in value.items():
        path = f"{before}{key}"
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{path}.")
        else:
            yield path, inner


def _value(text: str) -> Setting:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, Setting) else text


def _text(path: str, value: Setting) -> str:
    name = path.rpartition(".")[2]
    if isinstance(value, bool):
        return f"{name} {'on' if value else 'off'}"
    number = f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value
    return number if name == "type" else f"{name} {number}"
