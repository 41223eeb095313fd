"""Changes of the list of layers: each with a name for undo and the next position of the cursor."""

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
    """The change in a few words, for undo: `delete ReLU`."""
    at: str = ""
    """The path of the layer that the cursor moves to; empty for the input, which is before all layers."""


def span_after(path: str) -> Span:
    """The position after a layer, or after the input (an empty path)."""
    if not path:
        return Span(ROOT, 0, 0)
    span = Span.of(path)
    return Span(span.list, span.stop, span.stop)


def span_between(path: str, other: str) -> Span | None:
    """The layers from one to the other; None if they are in different lists."""
    one, two = Span.of(path), Span.of(other)
    if one.list != two.list:
        return None
    return Span(one.list, min(one.start, two.start), max(one.stop, two.stop))


def add(text: str, path: str, layers: Sequence[Any]) -> Edit:
    """Insert layers after the one at `path`."""
    place = span_after(path)
    what = names(layers)
    return Edit(edit.insert(text, place, layers), f"add {what}", f"{place.list}[{place.start}]")


def delete(text: str, span: Span) -> Edit:
    """Delete layers; the cursor moves to the layer after them, or before them."""
    what = names(edit.layers_of(text, span))
    new = edit.remove(text, span)
    size = len(edit.value_at(new, span.list, []))
    container = "" if span.list == ROOT else container_of(span.list)
    at = f"{span.list}[{min(span.start, size - 1)}]" if size else container
    return Edit(new, f"delete {what}", at)


def duplicate(text: str, span: Span) -> Edit:
    """Insert a copy of layers after them."""
    what = names(edit.layers_of(text, span))
    return Edit(edit.duplicate(text, span), f"duplicate {what}", f"{span.list}[{span.stop}]")


def move(text: str, span: Span, by: int) -> Edit:
    """Move layers up or down in their list; beyond the ends of a container, they leave it."""
    what = names(edit.layers_of(text, span))
    new = edit.move(text, span, by)
    if new != text:
        return Edit(new, f"move {what}", f"{span.list}[{span.start + by}]")
    if span.list == ROOT:
        return Edit(text, "", f"{span.list}[{span.start}]")
    outer = Span.of(container_of(span.list))
    layers = edit.layers_of(text, span)
    at = outer.start if by < 0 else outer.stop
    new = edit.insert(edit.remove(text, span), Span(outer.list, at, at), layers)
    return Edit(new, f"move {what} out", f"{outer.list}[{at}]")


def wrap(text: str, span: Span, type: str) -> Edit:
    """Wrap layers in a container."""
    return Edit(edit.wrap(text, span, type), f"wrap in {type}", f"{span.list}[{span.start}]")


def unwrap(text: str, path: str) -> Edit:
    """Replace a container by its layers."""
    type = edit.value_at(text, f"{path}.type", "")
    return Edit(edit.unwrap(text, path), f"unwrap {type}", path)


def replace_model(text: str, template: str) -> Edit:
    """Replace the model by that of another document, initializers included."""
    model = edit.value_at(template, "model", {})
    for name in edit.value_at(text, "model", {}):
        if name not in model:
            text = edit.unset(text, f"model.{name}")
    for name, value in model.items():
        text = edit.set_value(text, f"model.{name}", value)
    return Edit(text, "take a template", f"{ROOT}[0]" if model.get("layers") else "")


def container_of(list_path: str) -> str:
    """The path of the container of a list of layers.

    >>> container_of("model.layers[3].layers")
    'model.layers[3]'
    """
    return list_path.rpartition(".")[0]


def names(layers: Sequence[Any]) -> str:
    """The name of one layer, or the number of several: `ReLU`, `3 layers`."""
    if len(layers) != 1:
        return f"{len(layers)} layers"
    (layer,) = layers
    return str(layer.get("type", "a layer")) if isinstance(layer, dict) else str(layer)


NEW_DOCUMENT = """\
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
"""The text of a new document."""
