"""Types of parameters: from torch's annotations to types of values in TOML, and their text for people."""

from __future__ import annotations

import collections.abc
import types
import typing
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

_SEQUENCES = (list, collections.abc.Iterable, collections.abc.Sequence)
_SCALARS = (bool, int, float, str)
_FINITE = Field(allow_inf_nan=False)

LAYERS = Annotated[Any, "layers"]
"""Type of parameters that hold layers, which the schema of the document validates."""


def document_type(annotation: Any, at_least: int | None = None) -> Any:
    """The type of a document's value for an annotation of torch: without tensors and None, sequences as tuples.

    `at_least` bounds its integers. Returns None if no type of a document is left.
    """
    if annotation is int and at_least is not None:
        return Annotated[int, Ge(at_least)]
    if annotation is float:
        return Annotated[float, _FINITE]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS or origin is Literal:
        return annotation
    if origin is Annotated or (origin is dict and arguments[0] is str):
        return annotation
    if origin in (Union, types.UnionType):
        # float | list[float] means one value per parameter group; a document sets one value.
        members = [a for a in arguments if not (get_origin(a) is list and get_args(a)[0] is float)]
        kept = [m for m in (document_type(a, at_least) for a in members) if m is not None]
        return Union[tuple(kept)] if kept else None  # noqa: UP007 - the members are known at run time only
    if origin is tuple:
        inner = tuple(a if a is Ellipsis else document_type(a, at_least) for a in arguments)
        return None if None in inner else tuple[inner]  # type: ignore[valid-type]
    if origin in _SEQUENCES:
        item = document_type(arguments[0], at_least)
        return None if item is None else tuple[item, ...]  # type: ignore[valid-type]
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        return tuple[document_type(int, at_least), ...]  # type: ignore[misc]  # torch.Size
    return None


def as_tuples(value: Any) -> Any:
    """Lists of a document as the tuples that torch's signatures expect."""
    return tuple(as_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def as_lists(value: Any) -> Any:
    """Tuples of torch as lists of a document."""
    return [as_lists(v) for v in value] if isinstance(value, (list, tuple)) else value


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(strict=True))


def holds(annotation: Any, value: Any) -> bool:
    """Whether a document's value has that type; an int is accepted for a float, a bool is not accepted for an int."""
    try:
        _adapter(annotation).validate_python(as_tuples(value))
    except ValidationError:
        return False
    return True


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; any other type alone."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(m for a in get_args(annotation) for m in members(a))
    return (annotation,)


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values that the Literals in a type allow."""
    return tuple(v for m in members(annotation) if get_origin(m) is Literal for v in get_args(m))


def type_text(annotation: Any) -> str:
    """A type as text for a table: `int | [int, int]`, `'same' | 'valid' | int`."""
    return " | ".join(_short(m) for m in members(annotation))


def _short(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return "layers" if annotation == LAYERS else _short(arguments[0])
    if origin is Literal:
        return " | ".join(repr(v) for v in arguments)
    if origin is tuple:
        return "[" + ", ".join("…" if a is Ellipsis else type_text(a) for a in arguments) + "]"
    if origin is dict and arguments[1] is not Any:
        return f"{{name = {type_text(arguments[1])}}}"
    return str(getattr(annotation, "__name__", annotation))


def type_words(annotation: Any) -> str:
    """A type as text for a sentence: `a whole number of at least 1 or a pair of them`."""
    return " or ".join(dict.fromkeys(_words(m) for m in members(annotation)))


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == LAYERS:
        return "a list of layers"
    if origin is Annotated:
        if any(isinstance(a, Lt) and a.lt == 1 for a in arguments[1:]):
            return "a share between 0 and 1"
        bound = next((a.ge for a in arguments[1:] if isinstance(a, Ge)), None)
        above = next((a.gt for a in arguments[1:] if isinstance(a, Gt)), None)
        most = next((a.le for a in arguments[1:] if isinstance(a, Le)), None)
        limits = ("" if bound is None else f" of at least {bound}") + ("" if above is None else f" above {above}")
        limits += "" if most is None else f" and at most {most}"
        return _words(arguments[0]) + limits
    if origin is Literal:
        return " or ".join(repr(v) for v in arguments)
    if origin is dict:
        return "a table"
    if origin is tuple:
        count = "a list" if Ellipsis in arguments else {1: "a list of one", 2: "a pair"}.get(len(arguments), "a list")
        return f"{count} of {_plural(arguments[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(annotation, "a value")


def _plural(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if len(each := members(annotation)) > 1:
        return " or ".join(dict.fromkeys(_plural(m) for m in each))
    if get_origin(annotation) is dict:
        return "tables"
    return {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}.get(annotation, "values")


def signature_types(function: Any) -> dict[str, Any]:
    """The annotations of a function, resolved; so are names that torch imports for type checkers only."""
    local = {name: getattr(collections.abc, name) for name in collections.abc.__all__}
    return typing.get_type_hints(function, localns=local)
