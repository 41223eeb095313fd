"""Change the text of a document as a person would: only the affected line changes, and every comment stays.

Each function takes TOML and returns TOML. It does not validate the document: `check` does, after each change.
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

from engine.experiment.paths import parse_path
from engine.experiment.tree import CONTAINER_FIELDS

Make = Callable[[str | int, Any, int], Any]
"""Makes the item for a key from a plain value and its depth in lists of layers."""


@dataclass(frozen=True, slots=True)
class Span:
    """Adjacent layers of a list: `model.layers[2]` to `model.layers[4]`."""

    list: str
    """The path of the list: `model.layers`, `model.layers[3].branches[0]`."""
    start: int
    stop: int

    @classmethod
    def of(cls, path: str) -> Span:
        """The span of a single layer, by its path."""
        parent, _, index = path.removesuffix("]").rpartition("[")
        return cls(parent, int(index), int(index) + 1)

    def paths(self) -> tuple[str, ...]:
        """The paths of its layers."""
        return tuple(f"{self.list}[{index}]" for index in range(self.start, self.stop))


def value_at(text: str, path: str, default: Any = None) -> Any:
    """The plain value at a path, or `default`."""
    return lookup(tomllib.loads(text), path, default)


def lookup(document: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value at a path of a parsed document, or `default`; the `type` of a bare string is that string."""
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
    """Set the value at a path. Missing tables are created; a bare string on the path becomes a table with its type.

    The index after the last item appends to a list. A missing list is created for its first item.
    """
    steps = _steps(path)

    def change(document: Any, make: Make) -> None:
        holder = _reached(document, steps[:-1], make, then=steps[-1])
        if isinstance(steps[-1], int) and steps[-1] == len(holder):
            holder.append(make(steps[-1], value, _depth(steps)))
        elif isinstance(holder, InlineTable) and steps[-1] not in holder and len(holder) < 2:
            # A table of one key has no spacing to copy, so it is written as a whole.
            owner = _reached(document, steps[:-2], make)
            new = {**holder.unwrap(), str(steps[-1]): value}
            owner[steps[-2]] = make(steps[-2], new, _depth(steps))
        else:
            holder[steps[-1]] = make(steps[-1], value, _depth(steps))

    return _changed(text, change)


def unset(text: str, path: str) -> str:
    """Remove the value at a path, so that its default applies. A layer with only a type left becomes its name."""
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
        if isinstance(holder, InlineTable) and len(steps) > 1 and not any(name in holder for name in CONTAINER_FIELDS):
            # Written as a whole: removing its last key would leave the space before it.
            left = {name: value for name, value in holder.unwrap().items() if name != steps[-1]}
            owner = _reached(document, steps[:-2], make)
            owner[steps[-2]] = holder = make(steps[-2], left, _depth(steps))
        else:
            del holder[steps[-1]]
        if len(steps) > 1 and isinstance(steps[-2], int) and list(holder) == ["type"]:
            _reached(document, steps[:-2], make)[steps[-2]] = str(holder["type"])

    return _changed(text, change)


def change_type(text: str, path: str, type: str, keeps: Mapping[str, Any] | None = None) -> str:
    """Set another type at a path. Of the old parameters, only `keeps` stay."""
    old = value_at(text, path)
    parameters = {k: v for k, v in (keeps or {}).items() if k != "type"}
    if isinstance(old, dict) and "." not in path and "[" not in path:
        # A part that is a section changes line by line, so that its comments stay.
        new = set_value(text, f"{path}.type", type)
        for name in old:
            if name != "type" and name not in parameters:
                new = unset(new, f"{path}.{name}")
        return new
    return set_value(text, path, {"type": type, **parameters} if parameters else type)


def insert(text: str, at: Span, layers: Sequence[Any]) -> str:
    """Insert layers into a list, before `at.start`."""
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
    """Remove layers from their list."""
    steps = _steps(span.list)

    def change(document: Any, make: Make) -> None:
        inside = _reached(document, steps, make)
        for index in reversed(range(span.start, span.stop)):
            del inside[index]

    return _changed(text, change)


def layers_of(text: str, span: Span) -> list[Any]:
    """The layers of a span as plain values."""
    inside = value_at(text, span.list, [])
    return copy.deepcopy(inside[span.start : span.stop])


def duplicate(text: str, span: Span) -> str:
    """Insert a copy of layers after them."""
    return insert(text, Span(span.list, span.stop, span.stop), layers_of(text, span))


def move(text: str, span: Span, by: int) -> str:
    """Move layers up (`by` below 0) or down in their list, at most to its end."""
    size = len(value_at(text, span.list, []))
    to = min(max(0, span.start + by), size - (span.stop - span.start))
    if to == span.start:
        return text
    # Comments stay with the layers below them, because only the moved layers are written again.
    layers = layers_of(text, span)
    return insert(remove(text, span), Span(span.list, to, to), layers)


def wrap(text: str, span: Span, type: str) -> str:
    """Wrap layers in a container: a Residual, Repeat, Sequential, or the first branch of a Concat."""
    layers = layers_of(text, span)
    inside: dict[str, Any] = {"branches": [layers]} if type == "Concat" else {"layers": layers}
    wrapped = {"type": type, **({"times": 2} if type == "Repeat" else {}), **inside}
    return insert(remove(text, span), span, [wrapped])


def unwrap(text: str, path: str) -> str:
    """Replace a container by its layers, or a Concat by the layers of all branches."""
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
        raise ValueError(f"{path!r} is not a path of a document")
    return steps


def _depth(steps: Sequence[str | int]) -> int:
    """The depth of a path in lists of layers: `model.layers` 0, a layer of it 1, the layers of that layer 1."""
    return sum(isinstance(step, int) for step in steps)


def _reached(document: Any, steps: Sequence[str | int], make: Make, then: str | int = "") -> Any:
    """The item at the end of `steps`. Missing tables, and a missing list for an index `then`, are created."""
    here = document
    for depth, (step, next_step) in enumerate(zip(steps, [*steps, then][1:], strict=True)):
        if isinstance(step, str) and (step not in here or here[step] is False):
            # A table of the document is a section, `[optimizer]`; deeper tables are inline.
            section = depth == 0 and isinstance(document, tomlkit.TOMLDocument)
            empty: Any = [] if isinstance(next_step, int) else {}
            here[step] = tomlkit.table() if section else make(step, empty, 0)
        elif isinstance(here[step], str):
            here[step] = make(step, {"type": str(here[step])}, 0)
        here = here[step]
    return here


def _changed(text: str, change: Callable[[Any, Make], None]) -> str:
    """The text with a change in its layout.

    The change is made twice: in plain values, which are the expected result, and in the layout. If the layout does not
    support the change, the part of the document is rewritten.
    """
    expected = tomllib.loads(text)
    change(expected, lambda key, value, depth: copy.deepcopy(value))
    try:
        document = tomlkit.parse(text)
        change(document, _item)
        new = tomlkit.dumps(document)
        if tomllib.loads(new) == expected:
            return new
    except (TOMLKitError, tomllib.TOMLDecodeError, LookupError, TypeError, ValueError, AttributeError):
        # AttributeError: tomlkit cannot write a bare name among [[model.layers]]
        pass
    return _rewritten(text, expected)


def _rewritten(text: str, expected: dict[str, Any]) -> str:
    document = tomlkit.parse(text)
    before = tomllib.loads(text)
    for name in before.keys() | expected.keys():
        if name not in expected:
            document.remove(name)
        elif before.get(name) != expected[name]:
            document[name] = (
                _section(expected[name]) if isinstance(expected[name], dict) else _item(name, expected[name], 0)
            )
    new = tomlkit.dumps(document)
    return new if tomllib.loads(new) == expected else dumps(expected)


def dumps(document: Mapping[str, Any]) -> str:
    """Plain values as TOML in the usual layout: parts as sections, one layer a line."""
    lines = [f"{key} = {inline(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for name, part in document.items():
        if isinstance(part, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{_key(key)} = {_value(key, value, 0)}" for key, value in part.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _section(part: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in part.items():
        table.add(key, _item(key, value, 0))
    return table


def _item(key: str | int, value: Any, depth: int) -> Any:
    return tomlkit.parse(f"value = {_value(key, value, depth)}\n")["value"]


def inline(value: Any, depth: int = 0) -> str:
    """A value as TOML, without the key; one layer a line, with the layers of a container indented.

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
        return "{" + ", ".join(f"{_key(k)} = {_value(k, v, depth)}" for k, v in value.items()) + "}"
    if value and all(_is_layer(item) for item in value) and any(isinstance(item, Mapping) for item in value):
        return _lines([inline(item, depth + 1) for item in value], depth)
    return "[" + ", ".join(inline(item, depth) for item in value) + "]"


def _value(key: str | int, value: Any, depth: int) -> str:
    """A value of a table; layers have one line each, bare names too."""
    if key == "branches" and value:
        return _lines([_value("layers", branch, depth + 1) for branch in value], depth)
    if key in CONTAINER_FIELDS and value:
        return _lines([inline(item, depth + 1) for item in value], depth)
    return inline(value, depth)


def _lines(items: Sequence[str], depth: int) -> str:
    indent = "  " * depth
    return "[\n" + "".join(f"{indent}  {item},\n" for item in items) + f"{indent}]"


def _is_layer(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and "type" in item)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
