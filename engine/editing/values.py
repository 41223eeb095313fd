"""The values of a form's fields: what a user types, what a field accepts, and the next value of an arrow key."""

from __future__ import annotations

import tomllib
from typing import Any

from annotated_types import Ge, Gt, Le, Lt

from engine.catalog.value_types import holds, members, type_words
from engine.editing.form import Field, plain_type

_NOT_TOML = object()
_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DOUBLED = frozenset(
    {"out_channels", "out_features", "hidden_size", "embedding_dim", "batch_size", "dim_feedforward", "window"}
)


def parse_input(field: Field, text: str) -> Any:
    """The value of the document for a text that a user typed into a field.

    Text needs no quotes, a list needs no brackets, and a switch accepts yes and no.

    >>> parse_input(Field(path="x", name="x", annotation=tuple[int, int]), "3, 5")
    [3, 5]
    """
    text = text.strip()
    if field.is_switch and text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    value = _toml(text)
    if value is not _NOT_TOML and _accepts(field, value):
        return value
    if "," in text and (listed := _toml(f"[{text}]")) is not _NOT_TOML and _accepts(field, listed):
        return listed
    if _accepts(field, text):
        return text
    if (named := next((o for o in field.options if o.lower() == text.lower()), None)) is not None:
        return named
    return text if value is _NOT_TOML else value


def _toml(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return _NOT_TOML
    return document["value"] if len(document) == 1 else _NOT_TOML


def _accepts(field: Field, value: Any) -> bool:
    return field.annotation is Any or holds(field.annotation, value)


def value_problem(field: Field, value: Any) -> str:
    """What a field expects instead of a value: `expected a whole number of at least 1`; empty for a valid one."""
    if field.options and not field.names and str(value) not in field.options:
        return f"expected one of {', '.join(field.options)}"
    if field.names or _accepts(field, value):
        return ""
    return f"expected {type_words(field.annotation)}"


def next_value(field: Field, by: int) -> Any:
    """The value after (`by` 1) or before (-1) that of a field; the same value if there is none.

    Names are a cycle. Sizes are doubled and halved, rates step 1, 2, 5, shares by 0.05, other numbers by 1.
    """
    if field.is_switch:
        return not field.value
    if field.options:
        at = field.options.index(str(field.value)) if str(field.value) in field.options else -by
        return field.options[(at + by) % len(field.options)]
    value = field.value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, int) and any(plain_type(m) is int for m in members(plain_type(field.annotation))):
        new: int | float = value * 2 if by > 0 else -(-value // 2)
        new = new if field.name in _DOUBLED and value > 0 else value + by
    elif _is_share(field):
        new = round((round(value * 20) + by) / 20, 2)
    else:
        new = _one_two_five(float(value), by)
    return new if not value_problem(field, new) else value


def _is_share(field: Field) -> bool:
    bounds = [b for m in (field.annotation, *members(field.annotation)) for b in getattr(m, "__metadata__", ())]
    limits = [b for b in bounds for b in (b, *getattr(b, "metadata", ()))]
    below_one = any((isinstance(b, Lt) and b.lt == 1) or (isinstance(b, Le) and b.le == 1) for b in limits)
    above_zero = any((isinstance(b, Ge) and b.ge == 0) or (isinstance(b, Gt) and b.gt == 0) for b in limits)
    return field.name == "p" or (below_one and above_zero and not 0 < abs(field.value) < 0.01 and field.value < 0.97)


def _one_two_five(value: float, by: int) -> float:
    """The next number of … 0.1, 0.2, 0.5, 1, 2, 5, 10 … above or below."""
    if value == 0:
        return 0.001 if by > 0 else 0.0
    if value < 0:
        return value + by
    series = [float(f"{m}e{e}") for e in range(-12, 13) for m in (1, 2, 5)]
    near = 1e-9 * value
    if by > 0:
        return next((s for s in series if s > value + near), value)
    return next((s for s in reversed(series) if s < value - near), value)
