"""Parameters of losses that go by class: weights by the names of the classes, and the names beside the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from engine.catalog.losses import IGNORES_NONE
from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake, unknown_name, value_text
from engine.experiment.overrides import parse_path

OTHERS_WEIGH = 1.0
"""What a class weighs that is not among weights by name."""
_SHOWN = 12


def with_weights_listed(choice: Choice, classes: Sequence[str]) -> Choice:
    """The loss with weights by name as a list in the order of the classes; as it is, where a name is no class."""
    weight = choice.parameters.get("weight")
    if not isinstance(weight, Mapping) or not classes or not set(weight) <= set(classes):
        return choice
    listed = [float(weight.get(name, OTHERS_WEIGH)) for name in classes]
    return Choice.model_validate({"type": choice.type, **choice.parameters, "weight": listed})


def class_mistakes(choice: Choice, classes: int, names: Sequence[str]) -> Iterator[Mistake]:
    """Weights and numbers of classes that the data does not have."""
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
        expected = f"the classes are 0 to {classes - 1}{_numbered(names)}"
        fix = "Take the number of a class, or remove it."
        yield Mistake("loss.ignore_index", f"found {value_text(ignored)}", expected, fix, choice.type)


def sentences_by_class(choice: Choice, names: Sequence[str]) -> list[str]:
    """What the parameters of a loss that go by class say, with the names of the classes: `weight: cat = 2, dog = 1`."""
    said = []
    weight, ignored = choice.parameters.get("weight"), choice.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, (list, tuple)) and len(weight) == len(names):
        said.append("weight: " + _cut([f"{name} = {value:g}" for name, value in zip(names, weight, strict=True)]))
    if isinstance(ignored, int) and ignored in range(len(names)):
        said.append(f"ignore_index: {ignored} = {names[ignored]}")
    if isinstance(positive := choice.parameters.get("pos_weight"), (int, float)) and len(names) == 2:
        said.append(f"pos_weight: {names[1]} = {positive:g}, {names[0]} = 1")
    return said


def order_of_classes(name: str, classes: Sequence[str]) -> str:
    """A sentence for the help of a parameter of losses that goes by class; empty for any other."""
    if not classes or name not in ("weight", "ignore_index", "pos_weight"):
        return ""
    return f"The classes{_numbered(classes)}."


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
    return f": {_cut(names)}" if names else ""


def _numbered(names: Sequence[str]) -> str:
    return f": {_cut([f'{number} = {name}' for number, name in enumerate(names)])}" if names else ""


def _cut(items: Sequence[str]) -> str:
    """The items, those in the middle left out where there are many."""
    if len(items) <= _SHOWN:
        return ", ".join(items)
    return ", ".join([*items[: _SHOWN - 2], "…", items[-1]])
