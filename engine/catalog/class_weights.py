"""Parameters of losses that go by class: weights by the names of the classes, and the names beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.catalog.losses import IGNORES_NONE
from engine.experiment.document import Choice

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


def sentences_by_class(choice: Choice, names: Sequence[str]) -> list[str]:
    """What the parameters of a loss that go by class say, with the names of the classes: `weight: cat = 2, dog = 1`."""
    said = []
    weight, ignored = choice.parameters.get("weight"), choice.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, (list, tuple)) and len(weight) == len(names):
        said.append("weight: " + shortened([f"{name} = {value:g}" for name, value in zip(names, weight, strict=True)]))
    if isinstance(ignored, int) and ignored in range(len(names)):
        said.append(f"ignore_index: {ignored} = {names[ignored]}")
    if isinstance(positive := choice.parameters.get("pos_weight"), (int, float)) and len(names) == 2:
        said.append(f"pos_weight: {names[1]} = {positive:g}, {names[0]} = 1")
    return said


def order_of_classes(name: str, classes: Sequence[str]) -> str:
    """A sentence for the help of a parameter of losses that goes by class; empty for any other."""
    if not classes or name not in ("weight", "ignore_index", "pos_weight"):
        return ""
    return f"The classes{numbered(classes)}."


def numbered(names: Sequence[str]) -> str:
    return f": {shortened([f'{number} = {name}' for number, name in enumerate(names)])}" if names else ""


def shortened(items: Sequence[str]) -> str:
    """The items, those in the middle left out where there are many."""
    if len(items) <= _SHOWN:
        return ", ".join(items)
    return ", ".join([*items[: _SHOWN - 2], "…", items[-1]])
