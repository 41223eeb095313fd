"""What a layer, an optimizer or another choice has when it is put into a document, beside its defaults."""

from __future__ import annotations

from typing import Any

from engine.catalog import catalog
from engine.catalog.choices import USUAL

_BY_LAYER: dict[str, dict[str, Any]] = {
    **{f"Conv{n}d": {"padding": "same"} for n in (1, 2, 3)},
    **{f"{kind}Pool{n}d": {"kernel_size": 2} for kind in ("Max", "Avg", "LP") for n in (1, 2, 3)},
    "Unflatten": {"dim": 1, "unflattened_size": [1, -1]},
    "Permute": {"dims": [1, 0]},
    "Fold": {"output_size": [8, 8]},
    "Residual": {"layers": ["ReLU"]},
    "Repeat": {"layers": ["ReLU"]},
    "Sequential": {"layers": ["ReLU"]},
    "Concat": {"branches": [["ReLU"], []]},
    "torchvision": {"name": "resnet18"},
}
"""What a layer begins with beside or instead of that."""


_BY_TRANSFORM: dict[str, dict[str, Any]] = {
    "Resize": {"size": 32},
    "CenterCrop": {"size": 32},
    "Pad": {"padding": 2},
    "RandomCrop": {"padding": 4},
    "RandomSolarize": {"threshold": 128},
}
"""What a transform or an augmentation begins with beside or instead of that."""


def beginning(kind: str, name: str) -> Any:
    """A choice of the catalog as it is put into a document: its name, or a table where more must be said.

    >>> beginning("layers", "MaxPool2d")
    {'type': 'MaxPool2d', 'kernel_size': 2}
    """
    entry = catalog(kind)[name]
    own = {"layers": _BY_LAYER, "transforms": _BY_TRANSFORM, "augmentations": _BY_TRANSFORM}.get(kind, {}).get(name, {})
    required = [p.name for p in entry.parameters.values() if p.required and p.name in USUAL]
    values = {name: USUAL[name] for name in required} | own
    return {"type": name, **values} if values else name
