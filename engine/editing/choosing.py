"""Choose a name in a form: what comes with it, what stays of what was there, and what goes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.catalog import catalog
from engine.catalog.optimizers import USUAL_RATES
from engine.data.sources import SOURCES
from engine.editing.beginnings import beginning
from engine.editing.form import Field
from engine.editing.text import change_type, set_value, unset, value_at
from engine.experiment.document import Choice, Data, Experiment, Layer, Optimizer, Scheduler

_DECLARED: dict[str, type] = {
    "layers": Layer,
    "optimizers": Optimizer,
    "schedulers": Scheduler,
}
"""What a choice of a kind has beside its type's own parameters."""


_NOTHING_TYPED: Mapping[str, Any] = MappingProxyType({})


def choose(text: str, field: Field, name: str, typed: Mapping[str, Any] = _NOTHING_TYPED) -> str:
    """The document with another name in a field that takes names.

    Parameters that the new type has as well keep their values; those that it must be given begin as usual. The rate of
    another optimizer suits the new one by chance only: it becomes the usual one, unless the person typed it.

    Args:
        typed: what the person typed into fields, by their paths.
    """
    if field.names == "sources":
        return _source(text, name)
    if name == "none" and field.off:
        return unset(text, field.path)
    if not field.names:
        return set_value(text, field.path, name)
    return take(text, field.path.removesuffix(".type"), field.names, name, typed)


def take(text: str, place: str, kind: str, name: str, typed: Mapping[str, Any] = _NOTHING_TYPED) -> str:
    """The document with another choice of a kind at a place: `optimizer`, `model.layers[3]`."""
    if name not in catalog(kind):
        return change_type(text, place, name)
    old = value_at(text, place)
    given = old if isinstance(old, dict) else {}
    begun = beginning(kind, name)
    known = set(catalog(kind)[name].parameters) | _declared(kind)
    values = (begun if isinstance(begun, dict) else {}) | {k: v for k, v in given.items() if k in known}
    values.pop("type", None)
    if kind == "optimizers" and given.get("type") != name:
        values |= _usual_rate(name, values.pop("lr", None), typed.get(f"{place}.lr"))
    begins = old is None and place in Experiment.model_fields  # a part that was not there becomes a section
    text = set_value(text, f"{place}.type", name) if begins else change_type(text, place, name, values)
    for key, value in values.items():
        if _missing(text, f"{place}.{key}") or value_at(text, f"{place}.{key}") != value:
            text = set_value(text, f"{place}.{key}", value)
    return text


def _usual_rate(name: str, rate: Any, typed: Any) -> dict[str, Any]:
    """The lr of an optimizer that takes the place of one with `rate`; nothing where torch's default is meant."""
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
    """Whether nothing stands at a path."""
    absent = object()
    return value_at(text, path, absent) is absent


def switch(text: str, field: Field, on: bool) -> str:
    """The document with a switch on or off: true or false, or a table of its own that is there or not."""
    if not field.off:
        return set_value(text, field.path, on)
    return set_value(text, field.path, _first_of(field.path)) if on else unset(text, field.path)


def _first_of(path: str) -> dict[str, Any]:
    """A table at a path, with the first of its fields at its default, so that a reader sees what can stand there."""
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
