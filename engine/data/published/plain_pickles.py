"""Pickles that hold arrays and plain values, read as the data that they are: nothing that stands in them is called.

A pickle is a list of operations on a stack; `pickletools` of the standard library takes it apart without doing any of
them. Here the few that make plain values are done, and of what a pickle wants to call, only what NumPy pickles an array
with is understood. Everything else is refused. https://docs.python.org/3/library/pickletools.html
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_EMPTY: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ARRAY = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_KINDS = "biuf"
"""Kinds of numbers that an array may contain; objects are not allowed."""


class NotPlain(ValueError):
    """A pickle contains something else than arrays and plain values."""


@dataclass(slots=True)
class _Type:
    """A NumPy type, while it is read."""

    name: str
    order: str = "|"


@dataclass(slots=True)
class _Array:
    """An array, while it is read."""

    values: Any = None


@dataclass(slots=True)
class _Stack:
    items: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)

    def since_mark(self) -> list[Any]:
        at = self.marks.pop()
        taken, self.items[at:] = self.items[at:], []
        return taken


def read_plain(file: IO[bytes]) -> Any:
    """Read a pickle of protocol 2 or later; strings of Python 2 are read as Latin-1.

    Raises:
        NotPlain: it contains something else than arrays and plain values, or is damaged.
    """
    stack = _Stack()
    memo: dict[int, Any] = {}
    try:
        for operation, argument, _ in pickletools.genops(file):
            name = operation.name
            if name == "STOP":
                return _finished(stack.items.pop())
            if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
                memo[len(memo) if argument is None else argument] = stack.items[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET") and argument is not None:
                stack.items.append(memo[argument])
            elif name not in ("PROTO", "FRAME"):
                _do(name, argument, stack)
    except NotPlain:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise NotPlain(f"it is damaged ({error})") from None
    raise NotPlain("it is truncated")


def _do(name: str, argument: Any, stack: _Stack) -> None:
    items = stack.items
    if name in _VALUES:
        items.append(argument)
    elif name in _EMPTY:
        items.append(_EMPTY[name]())
    elif name in _CONSTANTS:
        items.append(_CONSTANTS[name])
    elif name == "MARK":
        stack.marks.append(len(items))
    elif name in _TUPLES:
        count = _TUPLES[name]
        items[-count:] = [tuple(items[-count:])]
    elif name == "TUPLE":
        items.append(tuple(stack.since_mark()))
    elif name == "APPEND":
        value = items.pop()
        items[-1].append(_finished(value))
    elif name == "APPENDS":
        values = stack.since_mark()
        items[-1].extend(map(_finished, values))
    elif name == "SETITEM":
        value, key = items.pop(), items.pop()
        items[-1][key] = _finished(value)
    elif name == "SETITEMS":
        pairs = stack.since_mark()
        items[-1].update(zip(pairs[::2], map(_finished, pairs[1::2]), strict=True))
    elif name == "GLOBAL":
        items.append(_Named(argument))
    elif name == "STACK_GLOBAL":
        function, module = items.pop(), items.pop()
        items.append(_Named(f"{module} {function}"))
    elif name == "REDUCE":
        arguments, called = items.pop(), items.pop()
        items.append(_made(called, arguments))
    elif name == "BUILD":
        state = items.pop()
        _build(items[-1], state)
    else:
        raise NotPlain(f"it has the operation {name}, which plain values do not need")


@dataclass(frozen=True, slots=True)
class _Named:
    """A module and function that a pickle names. It is never imported."""

    name: str


def _made(called: Any, arguments: tuple[Any, ...]) -> Any:
    name = called.name if isinstance(called, _Named) else ""
    if name in _ARRAY:
        return _Array()
    if name == "numpy dtype":
        return _Type(str(arguments[0]))
    if name == "_codecs encode" and arguments[1] == "latin1":  # how Python 3 pickles bytes for Python 2
        return arguments[0].encode("latin1")
    raise NotPlain(f"it calls {name or 'something'}, which plain values do not need")


def _build(made: Any, state: tuple[Any, ...]) -> None:
    """Set the byte order of a type, or the values of an array."""
    if isinstance(made, _Type):
        made.order = str(state[1])
        return
    if not isinstance(made, _Array):
        raise NotPlain("it sets the state of an object that is not an array")
    _, shape, type_, columns_first, content = state
    number = np.dtype(type_.name).newbyteorder(type_.order)
    if number.kind not in _KINDS:
        raise NotPlain(f"it contains an array of {number}, which are not numbers")
    raw = content.encode("latin1") if isinstance(content, str) else content
    made.values = np.frombuffer(raw, number).reshape(shape, order="F" if columns_first else "C")


def _finished(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, (_Named, _Type)):
        raise NotPlain("it contains an object that is not a plain value")
    return value
