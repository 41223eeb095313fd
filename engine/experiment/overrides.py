"""`--set path=value`: change any place of a document before it is validated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.experiment.mistakes import Mistake

_STEP = re.compile(r"(?:^|\.)([A-Za-z_][A-Za-z0-9_-]*)|\[(-?\d+)\]")


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> list[Mistake]:
    """Set each `path=value` in `document`, in order.

    A value is read as TOML; what is no TOML is a text. A bare string on the way (`optimizer = "Adam"`) becomes the
    table of its type, so that its parameters can be set. Returns what could not be set.
    """
    from engine.experiment.mistakes import Mistake  # it needs parse_path itself

    mistakes = []
    for override in overrides:
        path, equals, text = override.partition("=")
        steps = parse_path(path.strip())
        if not equals or steps is None:
            mistakes.append(
                Mistake(
                    f"--set {override}",
                    "it is not of the form path=value",
                    "expected a path such as optimizer.lr or model.layers[0].out_channels",
                    "Write --set optimizer.lr=3e-4.",
                )
            )
        elif mistake := _set(document, steps, override_value(text.strip()), path.strip()):
            mistakes.append(mistake)
    return mistakes


def parse_path(path: str) -> list[str | int] | None:
    """`model.layers[0].type` as `["model", "layers", 0, "type"]`; None when it is not a path."""
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None or match.end() == end:
            return None
        steps.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    return steps or None


def override_value(text: str) -> Any:
    """What stands behind `path=`: TOML, or a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        return text


def _set(document: dict[str, Any], steps: list[str | int], value: Any, path: str) -> Mistake | None:
    from engine.experiment.mistakes import Mistake

    here: Any = document
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        if isinstance(step, int):
            if not isinstance(here, list) or not -len(here) <= step < len(here):
                size = f"there are {len(here)} of them" if isinstance(here, list) else "it is not a list"
                return Mistake(f"--set {path}", f"nothing stands at index {step}", size, "Indexes count from 0.")
        elif not isinstance(here, dict):
            return Mistake(
                f"--set {path}",
                f"{step} has no place here",
                "what stands before it is not a table",
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
