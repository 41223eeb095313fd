"""What a layer, an optimizer or another choice has when it is put into a document, beside its defaults."""

from __future__ import annotations

from typing import Any

from engine.catalog import catalog

_BY_NAME: dict[str, Any] = {
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
}
"""A usual value of each parameter that must be given."""

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


def beginning(kind: str, name: str) -> Any:
    """A choice of the catalog as it is put into a document: its name, or a table where more must be said.

    >>> beginning("layers", "MaxPool2d")
    {'type': 'MaxPool2d', 'kernel_size': 2}
    """
    entry = catalog(kind)[name]
    own = _BY_LAYER.get(name, {}) if kind == "layers" else {}
    required = [p.name for p in entry.parameters.values() if p.required and p.name in _BY_NAME]
    values = {name: _BY_NAME[name] for name in required} | own
    return {"type": name, **values} if values else name
