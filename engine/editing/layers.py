"""Changes of the model as a person makes them in a list: each with what it is called and where the cursor goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.editing import text as edit
from engine.editing.text import Span

ROOT = "model.layers"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the document."""

    text: str
    what: str
    """In a few words, for undo: `delete ReLU`."""
    at: str = ""
    """The path of the layer that the cursor goes to; empty for the input, which stands before all layers."""


def after(path: str) -> Span:
    """The place behind a layer, or the first of the model behind the input (an empty path)."""
    if not path:
        return Span(ROOT, 0, 0)
    span = Span.of(path)
    return Span(span.list, span.stop, span.stop)


def span_between(path: str, other: str) -> Span | None:
    """The layers from one to the other, where both stand in the same list."""
    one, two = Span.of(path), Span.of(other)
    if one.list != two.list:
        return None
    return Span(one.list, min(one.start, two.start), max(one.stop, two.stop))


def add(text: str, path: str, layers: Sequence[Any]) -> Edit:
    """Put layers behind the one at `path`."""
    place = after(path)
    what = names(layers)
    return Edit(edit.insert(text, place, layers), f"add {what}", f"{place.list}[{place.start}]")


def delete(text: str, span: Span) -> Edit:
    """Take layers out; the cursor goes to what then stands there, or to what stood before."""
    what = names(edit.layers_of(text, span))
    new = edit.remove(text, span)
    size = len(edit.value_at(new, span.list, []))
    around = "" if span.list == ROOT else holder(span.list)
    at = f"{span.list}[{min(span.start, size - 1)}]" if size else around
    return Edit(new, f"delete {what}", at)


def duplicate(text: str, span: Span) -> Edit:
    """Put a copy of layers behind them."""
    what = names(edit.layers_of(text, span))
    return Edit(edit.duplicate(text, span), f"duplicate {what}", f"{span.list}[{span.stop}]")


def move(text: str, span: Span, by: int) -> Edit:
    """Move layers up or down among their like; beyond the ends of a container they leave it."""
    what = names(edit.layers_of(text, span))
    new = edit.move(text, span, by)
    if new != text:
        return Edit(new, f"move {what}", f"{span.list}[{span.start + by}]")
    if span.list == ROOT:
        return Edit(text, "", f"{span.list}[{span.start}]")
    outer = Span.of(holder(span.list))
    layers = edit.layers_of(text, span)
    at = outer.start if by < 0 else outer.stop
    new = edit.insert(edit.remove(text, span), Span(outer.list, at, at), layers)
    return Edit(new, f"move {what} out", f"{outer.list}[{at}]")


def wrap(text: str, span: Span, type: str) -> Edit:
    """Put layers into a container."""
    return Edit(edit.wrap(text, span, type), f"wrap in {type}", f"{span.list}[{span.start}]")


def unwrap(text: str, path: str) -> Edit:
    """Put what a container holds in its place."""
    type = edit.value_at(text, f"{path}.type", "")
    return Edit(edit.unwrap(text, path), f"unwrap {type}", path)


def take_model(text: str, template: str) -> Edit:
    """The model of another document in place of this one's, with how its weights begin."""
    model = edit.value_at(template, "model", {})
    for name in edit.value_at(text, "model", {}):
        if name not in model:
            text = edit.unset(text, f"model.{name}")
    for name, value in model.items():
        text = edit.set_value(text, f"model.{name}", value)
    return Edit(text, "take a template", f"{ROOT}[0]" if model.get("layers") else "")


def holder(list_path: str) -> str:
    """The container whose list of layers stands at a path: that of `model.layers[3].branches[0]` is `model.layers[3]`.

    >>> holder("model.layers[3].layers")
    'model.layers[3]'
    """
    head, _, tail = list_path.rpartition(".")
    assert tail.split("[")[0] in ("layers", "shortcut", "branches")
    return head


def names(layers: Sequence[Any]) -> str:
    """`ReLU`, or `3 layers`."""
    if len(layers) != 1:
        return f"{len(layers)} layers"
    (layer,) = layers
    return str(layer.get("type", "a layer")) if isinstance(layer, dict) else str(layer)


EMPTY = """\
name = "experiment"

[data]
source = "digits"

[model]
layers = []

[optimizer]
type = "AdamW"
lr = 1e-3

[training]
epochs = 10
"""
"""The document that one begins with."""
