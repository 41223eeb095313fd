"""Change a document's text as a person would: the line that is meant changes, and every comment stays.

Each function takes TOML and gives TOML. What stands in the document is not judged here: that is `check`'s, which sees
the text after each change.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from engine.experiment.overrides import parse_path
from engine.experiment.tree import HELD

Make = Callable[[str | int, Any, int], Any]
"""From a key, a plain value and its depth in lists of layers to what is put into the document that is being changed."""


@dataclass(frozen=True, slots=True)
class Span:
    """Layers that stand one after the other in a list: `model.layers[2]` to `model.layers[4]`."""

    list: str
    """The path of the list: `model.layers`, `model.layers[3].branches[0]`."""
    start: int
    stop: int

    @classmethod
    def of(cls, path: str) -> Span:
        """The span of a single layer, by its path."""
        holder, _, index = path.removesuffix("]").rpartition("[")
        return cls(holder, int(index), int(index) + 1)

    def paths(self) -> tuple[str, ...]:
        """The paths of its layers."""
        return tuple(f"{self.list}[{index}]" for index in range(self.start, self.stop))


def value_at(text: str, path: str, default: Any = None) -> Any:
    """What stands at a path, as plain values; `default` where nothing does."""
    return lookup(tomllib.loads(text), path, default)


def lookup(document: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """What stands at a path of a document that has been read; the `type` of a bare string is that string."""
    here: Any = document
    for step in parse_path(path) or []:
        if isinstance(here, str) and step == "type":
            return here
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return default
    return here


def set_value(text: str, path: str, value: Any) -> str:
    """Put a value at a path. Tables on the way are made; a bare string on the way becomes the table of its type.

    The place behind the last one of a list is a place, too; a list that is not there is made for its first.
    """
    steps = _steps(path)

    def change(document: Any, make: Make) -> None:
        holder = _reached(document, steps[:-1], make, then=steps[-1])
        if isinstance(steps[-1], int) and steps[-1] == len(holder):
            holder.append(make(steps[-1], value, _depth(steps)))
        elif isinstance(holder, InlineTable) and steps[-1] not in holder and len(holder) < 2:
            # A table of one key shows no spacing that the layout could go on with: it is written as a whole.
            owner = _reached(document, steps[:-2], make)
            new = {**holder.unwrap(), str(steps[-1]): value}
            owner[steps[-2]] = make(steps[-2], new, _depth(steps))
        else:
            holder[steps[-1]] = make(steps[-1], value, _depth(steps))

    return _changed(text, change)


def unset(text: str, path: str) -> str:
    """Take away what stands at a path, so that its default holds. A layer that has only its type left is its name."""
    steps = _steps(path)

    def change(document: Any, make: Make) -> None:
        holder = _reached(document, steps[:-1], make)
        if isinstance(steps[-1], int):
            del holder[steps[-1]]
            if not holder:
                del _reached(document, steps[:-2], make)[steps[-2]]
            return
        if steps[-1] not in holder:
            return
        if isinstance(holder, InlineTable) and len(steps) > 1 and not any(name in holder for name in HELD):
            # Written as a whole: taking its last key out would leave the space before it.
            left = {name: value for name, value in holder.unwrap().items() if name != steps[-1]}
            owner = _reached(document, steps[:-2], make)
            owner[steps[-2]] = holder = make(steps[-2], left, _depth(steps))
        else:
            del holder[steps[-1]]
        if len(steps) > 1 and isinstance(steps[-2], int) and list(holder) == ["type"]:
            _reached(document, steps[:-2], make)[steps[-2]] = str(holder["type"])

    return _changed(text, change)


def change_type(text: str, path: str, type: str, keeps: Mapping[str, Any] | None = None) -> str:
    """Choose another type at a path; of the parameters of the old one `keeps` stay, and no other."""
    old = value_at(text, path)
    kept = {k: v for k, v in (keeps or {}).items() if k != "type"}
    if isinstance(old, dict) and "." not in path and "[" not in path:
        # A part with a section of its own changes line by line, so that its comments stay.
        new = set_value(text, f"{path}.type", type)
        for name in old:
            if name != "type" and name not in kept:
                new = unset(new, f"{path}.{name}")
        return new
    return set_value(text, path, {"type": type, **kept} if kept else type)


def insert(text: str, at: Span, layers: Sequence[Any]) -> str:
    """Put layers into a list, before what stands at `at.start`."""
    steps = _steps(at.list)

    def change(document: Any, make: Make) -> None:
        holder = _reached(document, steps[:-1], make)
        inside = holder.get(steps[-1]) if isinstance(steps[-1], str) else holder[steps[-1]]
        if not inside:
            holder[steps[-1]] = make("layers", list(layers), _depth(steps))
            return
        for offset, layer in enumerate(layers):
            inside.insert(at.start + offset, make(at.start, layer, _depth(steps) + 1))

    return _changed(text, change)


def remove(text: str, span: Span) -> str:
    """Take layers out of their list."""
    steps = _steps(span.list)

    def change(document: Any, make: Make) -> None:
        inside = _reached(document, steps, make)
        for index in reversed(range(span.start, span.stop)):
            del inside[index]

    return _changed(text, change)


def layers_of(text: str, span: Span) -> list[Any]:
    """The layers of a span as plain values: what cutting and copying keep."""
    inside = value_at(text, span.list, [])
    return copy.deepcopy(inside[span.start : span.stop])


def duplicate(text: str, span: Span) -> str:
    """Put a copy of layers behind them."""
    return insert(text, Span(span.list, span.stop, span.stop), layers_of(text, span))


def move(text: str, span: Span, by: int) -> str:
    """Move layers up (`by` below 0) or down in their list; at its end they stay where they are."""
    size = len(value_at(text, span.list, []))
    to = min(max(0, span.start + by), size - (span.stop - span.start))
    if to == span.start:
        return text
    # What moves is the neighbour, to the other side: comments stay with the layers that they stand before.
    layers = layers_of(text, span)
    return insert(remove(text, span), Span(span.list, to, to), layers)


def wrap(text: str, span: Span, type: str) -> str:
    """Put layers into a container: a Residual, Repeat, Sequential, or the first branch of a Concat."""
    layers = layers_of(text, span)
    held: dict[str, Any] = {"branches": [layers]} if type == "Concat" else {"layers": layers}
    wrapped = {"type": type, **({"times": 2} if type == "Repeat" else {}), **held}
    return insert(remove(text, span), span, [wrapped])


def unwrap(text: str, path: str) -> str:
    """Put what a container holds in its place: its layers, or the branches of a Concat one after the other."""
    span = Span.of(path)
    (container,) = layers_of(text, span)
    if not isinstance(container, dict):
        return text
    branches = container.get("branches") or []
    inside = [*(container.get("layers") or []), *(layer for branch in branches for layer in branch)]
    return insert(remove(text, span), span, inside) if inside else text


def _steps(path: str) -> list[str | int]:
    steps = parse_path(path)
    if not steps:
        raise ValueError(f"{path!r} is no path of a document")
    return steps


def _depth(steps: Sequence[str | int]) -> int:
    """How deep in lists of layers a place lies: `model.layers` 0, a layer of it 1, its own `layers` 1."""
    return sum(isinstance(step, int) for step in steps)


def _reached(document: Any, steps: Sequence[str | int], make: Make, then: str | int = "") -> Any:
    """What stands at the end of `steps`; tables, and the list that `then` is a place of, are made where missing."""
    here = document
    for depth, (step, next_step) in enumerate(zip(steps, [*steps, then][1:], strict=True)):
        if isinstance(step, str) and (step not in here or here[step] is False):
            # One of the document's own tables is a section, `[optimizer]`; deeper ones stand in a line.
            section = depth == 0 and isinstance(document, tomlkit.TOMLDocument)
            empty: Any = [] if isinstance(next_step, int) else {}
            here[step] = tomlkit.table() if section else make(step, empty, 0)
        elif isinstance(here[step], str):
            here[step] = make(step, {"type": str(here[step])}, 0)
        here = here[step]
    return here


def _changed(text: str, change: Callable[[Any, Make], None]) -> str:
    """The text with the change made in its layout.

    The change is made twice: in plain values, which say what the result means, and in the layout, which must mean the
    same. Where a layout is too unusual to bear the change, the part that it lies in is written anew.
    """
    meant = tomllib.loads(text)
    change(meant, lambda key, value, depth: copy.deepcopy(value))
    try:
        document = tomlkit.parse(text)
        change(document, _item)
        new = tomlkit.dumps(document)
        if tomllib.loads(new) == meant:
            return new
    except (TOMLKitError, tomllib.TOMLDecodeError, LookupError, TypeError, ValueError, AttributeError):
        # AttributeError: tomlkit does not write out a bare name among [[model.layers]]
        pass
    return _rewritten(text, meant)


def _rewritten(text: str, meant: dict[str, Any]) -> str:
    document = tomlkit.parse(text)
    before = tomllib.loads(text)
    for name in before.keys() | meant.keys():
        if name not in meant:
            document.remove(name)
        elif before.get(name) != meant[name]:
            document[name] = _section(meant[name]) if isinstance(meant[name], dict) else _item(name, meant[name], 0)
    new = tomlkit.dumps(document)
    return new if tomllib.loads(new) == meant else dumps(meant)


def dumps(document: Mapping[str, Any]) -> str:
    """Plain values as TOML, laid out as a person would: parts as sections, one layer a line."""
    lines = [f"{key} = {inline(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for name, part in document.items():
        if isinstance(part, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{_key(key)} = {_held(key, value, 0)}" for key, value in part.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _section(part: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in part.items():
        table.add(key, _item(key, value, 0))
    return table


def _item(key: str | int, value: Any, depth: int) -> Any:
    return tomlkit.parse(f"value = {_held(key, value, depth)}\n")["value"]


def inline(value: Any, depth: int = 0) -> str:
    """A value as TOML, without the key; layers one a line, those of a container further in.

    >>> inline({"type": "Conv2d", "kernel_size": [3, 3], "bias": False})
    '{type = "Conv2d", kernel_size = [3, 3], bias = false}'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_held(k, v, depth)}" for k, v in value.items()) + "}"
    if value and all(_is_layer(item) for item in value) and any(isinstance(item, Mapping) for item in value):
        return _lines([inline(item, depth + 1) for item in value], depth)
    return "[" + ", ".join(inline(item, depth) for item in value) + "]"


def _held(key: str | int, value: Any, depth: int) -> str:
    """A value of a table; layers stand one a line even where all of them are bare names."""
    if key == "branches" and value:
        return _lines([_held("layers", branch, depth + 1) for branch in value], depth)
    if key in HELD and value:
        return _lines([inline(item, depth + 1) for item in value], depth)
    return inline(value, depth)


def _lines(items: Sequence[str], depth: int) -> str:
    indent = "  " * depth
    return "[\n" + "".join(f"{indent}  {item},\n" for item in items) + f"{indent}]"


def _is_layer(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and "type" in item)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
