"""Parameters of losses that depend on classes: weights by class name, and texts with class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.catalog.losses import IGNORES_NONE
from engine.experiment.document import Choice

OTHERS_WEIGH = 1.0
"""Weight of a class that weights by name leave out."""
_SHOWN = 12


def with_weights_listed(choice: Choice, classes: Sequence[str]) -> Choice:
    """The loss with weights by name as a list in the order of the classes; unchanged if a name is not a class."""
    weight = choice.parameters.get("weight")
    if not isinstance(weight, Mapping) or not classes or not set(weight) <= set(classes):
        return choice
    listed = [float(weight.get(name, OTHERS_WEIGH)) for name in classes]
    return Choice.model_validate({"type": choice.type, **choice.parameters, "weight": listed})


def sentences_by_class(choice: Choice, names: Sequence[str]) -> list[str]:
    """Texts for the parameters of a loss that depend on classes: `weight: cat = 2, dog = 1`."""
    texts = []
    weight, ignored = choice.parameters.get("weight"), choice.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, (list, tuple)) and len(weight) == len(names):
        texts.append("weight: " + shortened([f"{name} = {value:g}" for name, value in zip(names, weight, strict=True)]))
    if isinstance(ignored, int) and ignored in range(len(names)):
        texts.append(f"ignore_index: {ignored} = {names[ignored]}")
    if isinstance(positive := choice.parameters.get("pos_weight"), (int, float)) and len(names) == 2:
        texts.append(f"pos_weight: {names[1]} = {positive:g}, {names[0]} = 1")
    return texts


def order_of_classes(name: str, classes: Sequence[str]) -> str:
    """A sentence on the order of classes, for help of a parameter that depends on it; else empty."""
    if not classes or name not in ("weight", "ignore_index", "pos_weight"):
        return ""
    return f"The classes{numbered(classes)}."


def numbered(names: Sequence[str]) -> str:
    return f": {shortened([f'{number} = {name}' for number, name in enumerate(names)])}" if names else ""


def shortened(items: Sequence[str]) -> str:
    """The items, joined; of many, those in the middle are left out."""
    if len(items) <= _SHOWN:
        return ", ".join(items)
    return ", ".join([*items[: _SHOWN - 2], "…", items[-1]])
