"""`--set path=value`: change any field of a document before it is validated."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from engine.experiment.mistakes import Mistake
from engine.experiment.paths import parse_path


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> list[Mistake]:
    """Set each `path=value` in `document`, in order.

    A value is read as TOML, otherwise as text. A bare string on the path (`optimizer = "Adam"`) becomes a table with
    that type, so that its parameters can be set. Returns the mistakes of overrides that could not be set.
    """
    mistakes = []
    for override in overrides:
        path, equals, text = override.partition("=")
        steps = parse_path(path.strip())
        if not equals or steps is None:
            mistakes.append(
                Mistake(
                    f"--set {override}",
                    "it does not have the form path=value",
                    "expected a path such as optimizer.lr or model.layers[0].out_channels",
                    "Write --set optimizer.lr=3e-4.",
                )
            )
        elif mistake := _set(document, steps, override_value(text.strip()), path.strip()):
            mistakes.append(mistake)
    return mistakes


def override_value(text: str) -> Any:
    """Read the value after `path=`, as TOML or else as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        return text


def _set(document: dict[str, Any], steps: list[str | int], value: Any, path: str) -> Mistake | None:
    here: Any = document
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        if isinstance(step, int):
            if not isinstance(here, list) or not -len(here) <= step < len(here):
                size = f"there are {len(here)} of them" if isinstance(here, list) else "it is not a list"
                return Mistake(f"--set {path}", f"there is no item at index {step}", size, "Indexes count from 0.")
        elif not isinstance(here, dict):
            return Mistake(
                f"--set {path}",
                f"{step} cannot be set here",
                "the value before it is not a table",
                "Correct the path.",
            )
        if last:
            here[step] = value
            return None
        if isinstance(step, str) and step not in here:
            here[step] = {}
        elif isinstance(here[step], str):
            here[step] = {"type": here[step]}
        elif here[step] is False:
            here[step] = {}
        here = here[step]
    return None
