"""Check a choice of a document against its catalog entry, and complete it with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.catalog import SINGULAR, catalog
from engine.catalog.entry import Entry
from engine.catalog.value_types import as_lists, as_tuples, holds, type_words
from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake, drop, nearest, put, unknown_name, value_text

TORCH_REFUSES = (ValueError, TypeError, RuntimeError, ArithmeticError)
"""What torch raises at parameters that it does not accept."""

USUAL: dict[str, Any] = {
    "out_channels": 16,
    "kernel_size": 3,
    "out_features": 64,
    "hidden_size": 64,
    "embedding_dim": 64,
    "output_size": 1,
    "num_groups": 4,
    "nhead": 4,
    "size": 5,
    "norm_type": 2.0,
    "threshold": 0.0,
    "value": 0.0,
    "padding": 1,
    "upscale_factor": 2,
    "downscale_factor": 2,
    "groups": 2,
    "times": 2,
    "degrees": 10,
    "sharpness_factor": 2.0,
    "bits": 4,
    "quality": 75,
}
"""A value of required parameters: what a new layer starts with, and what replaces a missing or wrong value."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking the parameters of a choice."""

    mistakes: tuple[Mistake, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    """The correct ones; a misspelt name is replaced by the nearest one."""
    whole: bool = True
    """Whether `parameters` are all that the document has, with every required one."""


def check_type(kind: str, choice: Choice, path: str) -> tuple[Entry | None, list[Mistake]]:
    """The entry of a choice, or the mistake that its type is unknown."""
    entries = catalog(kind)
    if choice.type in entries:
        return entries[choice.type], []
    return None, [unknown_name(f"{path}.type", choice.type, tuple(entries), SINGULAR[kind])]


def check_parameters(entry: Entry, given: Mapping[str, Any], path: str) -> Checked:
    """Check parameters for unknown names, wrong types and missing ones. `path` is that of the choice."""
    known = entry.parameters
    mistakes: list[Mistake] = []
    right: dict[str, Any] = {}
    whole = True
    for name, value in given.items():
        meant = name
        if name not in known:
            if name in entry.set_by_torchdeck:
                mistakes.append(
                    Mistake(
                        f"{path}.{name}",
                        f"{name} cannot be set here",
                        "torchdeck sets it",
                        "Remove it.",
                        entry.name,
                        remedy=drop(),
                    )
                )
                continue
            if name in entry.elsewhere:
                found = f"{entry.name} has no {name}"
                mistakes.append(Mistake(f"{path}.{name}", found, "", entry.elsewhere[name], entry.name, remedy=drop()))
                whole = False
                continue
            mistakes.append(unknown_name(f"{path}.{name}", name, tuple(known), f"a parameter of {entry.name}"))
            meant = nearest(name, known) or ""
            if not meant or meant in given:
                whole = False
                continue
        if holds(known[meant].annotation, value):
            right[meant] = value
            continue
        whole = False
        right.setdefault(meant, None)
        if meant == name:
            mistakes.append(_wrong_value(entry, name, value, path))
    for name, parameter in known.items():
        if parameter.required and name not in right:
            whole = False
            expected = f"expected {type_words(parameter.annotation)}"
            fix = f"Add {name}: {parameter.help}" if parameter.help else f"Add {name}."
            remedy = put(USUAL[name], f".{name}") if name in USUAL else None
            mistakes.append(Mistake(path, f"{name} is missing", expected, fix, subject=entry.name, remedy=remedy))
    return Checked(tuple(mistakes), {name: value for name, value in right.items() if value is not None}, whole)


def _wrong_value(entry: Entry, name: str, value: Any, path: str) -> Mistake:
    parameter = entry.parameters[name]
    words = type_words(parameter.annotation)
    meant = nearest(value, [c for c in parameter.choices if isinstance(c, str)]) if isinstance(value, str) else None
    remedy = None if parameter.required else drop()
    if meant:
        fix, remedy = f"Did you mean {meant!r}?", put(meant)
    elif parameter.required:
        fix = "Correct it."
        if name in USUAL:
            fix, remedy = f"Correct it; {value_text(USUAL[name])} is usual.", put(USUAL[name])
    elif parameter.inferred:
        fix = f"Correct it, or remove it, as it is inferred ({parameter.inferred})."
    elif parameter.default is None:
        fix = "Correct it, or remove it."
    else:
        fix = f"Correct it, or remove it for the default, {value_text(parameter.default)}."
    found = f"found {value_text(value)}"
    return Mistake(f"{path}.{name}", found, f"expected {words}", fix, subject=entry.name, remedy=remedy)


def completed(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with torch's defaults; without those that are inferred or default to None."""
    values = {
        name: parameter.default for name, parameter in entry.parameters.items() if parameter.default is not None
    } | dict(given)
    return {name: as_lists(values[name]) for name in entry.parameters if name in values}


def blame(entry: Entry, given: Mapping[str, Any], error: Exception, attempt: Any, path: str) -> Mistake:
    """The mistake behind an error that torch raised for these parameters.

    Args:
        attempt: builds the object from parameters, as the call that failed. It is tried with one parameter at a time
            to find the one that causes the error.
    """
    required = {name: given[name] for name, p in entry.parameters.items() if p.required and name in given}
    causes = [name for name in given if _fails(attempt, required | {name: given[name]})]
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    if len(causes) == 1:
        name = causes[0]
        default = entry.parameters[name].default
        fix = "Correct it." if default is None else f"Correct it; the default is {value_text(default)}."
        remedy = None if default is None else drop()
        found = f"found {value_text(given[name])}"
        return Mistake(f"{path}.{name}", found, f"torch reports: {reason}", fix, entry.name, remedy=remedy)
    return Mistake(path, f"torch reports: {reason}", "", "Correct its parameters.", entry.name)


def _fails(attempt: Any, parameters: Mapping[str, Any]) -> bool:
    try:
        attempt(**{name: as_tuples(value) for name, value in parameters.items()})
    except TORCH_REFUSES:
        return True
    return False
