"""Weights and numbers of classes in the loss against the classes of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from engine.catalog.class_weights import numbered, shortened
from engine.catalog.losses import IGNORES_NONE
from engine.experiment.mistakes import Mistake, unknown_name, value_text
from engine.experiment.overrides import parse_path
from engine.plan.context import CheckContext
from engine.plan.rules.losses import suits
from engine.plan.rules.registry import rule_after


@rule_after("choices")
def classes_that_are_not_in_the_data(context: CheckContext) -> Iterator[Mistake]:
    """Weights and numbers of classes that the data does not have."""
    choice, classes = context.experiment.loss, context.classes
    if classes is None or not suits(context):
        return
    names = context.description.classes if context.description is not None else ()
    weight, ignored = choice.parameters.get("weight"), choice.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, Mapping):
        for name in weight:
            if name not in names:
                yield _no_class(name, names)
    elif isinstance(weight, (list, tuple)) and len(weight) != classes:
        found = f"found {len(weight)} weight{'s' if len(weight) != 1 else ''}"
        expected = f"the data has {classes} classes{_listed(names)}"
        fix = f'Give one weight a class, "balanced", or weights by name: {_example(names)}.'
        yield Mistake("loss.weight", found, expected, fix, choice.type)
    values = tuple(weight.values()) if isinstance(weight, Mapping) else weight
    if isinstance(values, (list, tuple)) and len(values) >= classes and not any(values):
        fix = 'Give one weight a class, or "balanced".'
        yield Mistake("loss.weight", "every weight is 0", "there is nothing to learn", fix, choice.type)
    if isinstance(ignored, int) and ignored != IGNORES_NONE and ignored not in range(classes):
        expected = f"the classes are 0 to {classes - 1}{numbered(names)}"
        fix = "Take the number of a class, or remove it."
        yield Mistake("loss.ignore_index", f"found {value_text(ignored)}", expected, fix, choice.type)


def _no_class(name: str, names: Sequence[str]) -> Mistake:
    path = f"loss.weight.{name}"
    if len(parse_path(path) or ()) == len(("loss", "weight", "name")):
        return unknown_name(path, name, names, "a class")
    return replace(unknown_name("loss.weight", name, names, "a class"), remedy=None)


def _example(names: Sequence[str]) -> str:
    name = names[0] if names else "cat"
    key = name if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name) else value_text(name)
    return f"{{{key} = 2.0}}"


def _listed(names: Sequence[str]) -> str:
    return f": {shortened(names)}" if names else ""
