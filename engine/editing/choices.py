"""Choose an entry of the catalog in a document: its new parameters, and the old ones that it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.catalog import catalog
from engine.catalog.choices import USUAL
from engine.catalog.layers.spec import LayerSpec
from engine.catalog.optimizers import USUAL_RATES
from engine.data.sources import SOURCES
from engine.editing.form import Field
from engine.editing.text import change_type, set_value, unset, value_at
from engine.experiment.document import Choice, Data, Experiment, Layer, Optimizer, Scheduler

_DECLARED: dict[str, type] = {
    "layers": Layer,
    "optimizers": Optimizer,
    "schedulers": Scheduler,
}
"""The fields of a choice of a kind, in addition to the parameters of its type."""

_NOTHING_TYPED: Mapping[str, Any] = MappingProxyType({})

_BY_TRANSFORM: dict[str, dict[str, Any]] = {
    "Resize": {"size": 32},
    "CenterCrop": {"size": 32},
    "Pad": {"padding": 2},
    "RandomCrop": {"padding": 4},
    "RandomSolarize": {"threshold": 128},
}
"""The parameters of a new transform or augmentation, in addition to the usual values or instead of them."""


def new_choice(kind: str, name: str) -> Any:
    """A new choice of the catalog for a document: its name, or a table with the parameters that it needs.

    >>> new_choice("layers", "MaxPool2d")
    {'type': 'MaxPool2d', 'kernel_size': 2}
    """
    entry = catalog(kind)[name]
    own = entry.starts_with if isinstance(entry, LayerSpec) else {}
    if kind in ("transforms", "augmentations"):
        own = _BY_TRANSFORM.get(name, {})
    required = [p.name for p in entry.parameters.values() if p.required and p.name in USUAL]
    values = {name: USUAL[name] for name in required} | dict(own)
    return {"type": name, **values} if values else name


def choose(text: str, field: Field, name: str, typed: Mapping[str, Any] = _NOTHING_TYPED) -> str:
    """The document with another name in a field of names.

    Parameters of the new type that the old one has too keep their values. Required parameters get their usual values.
    The learning rate becomes the usual one of a new optimizer, unless the user typed it.

    Args:
        typed: the values that the user typed, by the paths of their fields.
    """
    if field.names == "sources":
        return _source(text, name)
    if name == "none" and field.off:
        return unset(text, field.path)
    if not field.names:
        return set_value(text, field.path, name)
    return set_choice(text, field.path.removesuffix(".type"), field.names, name, typed)


def set_choice(text: str, path: str, kind: str, name: str, typed: Mapping[str, Any] = _NOTHING_TYPED) -> str:
    """The document with another choice of a kind at a path: `optimizer`, `model.layers[3]`."""
    if name not in catalog(kind):
        return change_type(text, path, name)
    old = value_at(text, path)
    current = old if isinstance(old, dict) else {}
    new = new_choice(kind, name)
    known = set(catalog(kind)[name].parameters) | _declared(kind)
    values = (new if isinstance(new, dict) else {}) | {k: v for k, v in current.items() if k in known}
    values.pop("type", None)
    if kind == "optimizers" and current.get("type") != name:
        values |= _usual_rate(name, values.pop("lr", None), typed.get(f"{path}.lr"))
    section = old is None and path in Experiment.model_fields  # a new part of the document becomes a section
    text = set_value(text, f"{path}.type", name) if section else change_type(text, path, name, values)
    for key, value in values.items():
        if _missing(text, f"{path}.{key}") or value_at(text, f"{path}.{key}") != value:
            text = set_value(text, f"{path}.{key}", value)
    return text


def _usual_rate(name: str, rate: Any, typed: Any) -> dict[str, Any]:
    """The lr of an optimizer that replaces one with `rate`; empty for torch's default."""
    parameter = catalog("optimizers")[name].parameters.get("lr")
    if parameter is None:
        return {}
    if rate is not None and rate == typed:
        return {"lr": rate}
    usual = USUAL_RATES.get(name)
    if usual is not None:
        return {"lr": usual}
    return {} if rate is None else {"lr": parameter.default}


def _missing(text: str, path: str) -> bool:
    """Whether the document has no value at a path."""
    absent = object()
    return value_at(text, path, absent) is absent


def set_switch(text: str, field: Field, on: bool) -> str:
    """The document with a switch on or off: true or false, or a table that exists or not."""
    if not field.off:
        return set_value(text, field.path, on)
    return set_value(text, field.path, _first_field(field.path)) if on else unset(text, field.path)


def _first_field(path: str) -> dict[str, Any]:
    """A table for a path, with the default of its first field, so that a reader sees what it can contain."""
    part, _, name = path.partition(".")
    model = Experiment.model_fields[part].annotation.model_fields[name].annotation  # type: ignore[union-attr]
    inside = next(m for m in model.__args__ if hasattr(m, "model_fields"))
    first, info = next(iter(inside.model_fields.items()))
    return {first: info.get_default(call_default_factory=True)}


def _source(text: str, name: str) -> str:
    known = set(Data.model_fields) | set(SOURCES[name].model_fields if name in SOURCES else ())
    text = set_value(text, "data.source", name)
    for key in value_at(text, "data", {}):
        if key not in known:
            text = unset(text, f"data.{key}")
    return text


def _declared(kind: str) -> set[str]:
    return set(_DECLARED.get(kind, Choice).model_fields)  # type: ignore[attr-defined]
