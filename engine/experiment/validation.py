"""Convert pydantic's errors: one `Mistake` for each field of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.experiment.mistakes import Mistake, drop, nearest, unknown_name, value_text
from engine.experiment.paths import dotted

Location = tuple[int | str, ...]

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "a text in quotes",
    "string_too_short": "a text that is not empty",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "union_tag_not_found": "a type",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
}


def mistakes_of(
    error: ValidationError, document: Mapping[str, Any], model: type[BaseModel], path: str = ""
) -> list[Mistake]:
    """Convert every error of validating `document` as `model` to mistakes.

    Args:
        path: the path of `document` in the whole document; paths of the mistakes start with it.
    """
    return [_mistake(where, details, document, model, path) for where, details in by_place(error, document).items()]


def by_place(error: ValidationError, document: Any) -> dict[Location, list[ErrorDetails]]:
    """The errors by their location in `document`, without those that follow from a deeper one."""
    found: dict[Location, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_place(details, document), []).append(details)
    return {w: e for w, e in found.items() if not any(len(o) > len(w) and o[: len(w)] == w for o in found)}


def _place(details: ErrorDetails, document: Any) -> Location:
    """The location of an error in `document`, without the names that pydantic adds for members of a union."""
    where: list[int | str] = []
    here = document
    for step in details["loc"]:
        inside = step in here if isinstance(here, Mapping) else isinstance(here, list) and step in range(len(here))
        if inside:
            here = here[step]
        elif isinstance(here, Mapping) and here.get("type") == step:
            continue  # the name of the member that `type` selected
        elif details["type"] != "missing":
            break
        where.append(step)
    return tuple(where)


def _mistake(
    where: Location, errors: list[ErrorDetails], document: Mapping[str, Any], model: type[BaseModel], prefix: str
) -> Mistake:
    path = ".".join(filter(None, (prefix, dotted(where))))
    first = errors[0]
    owner, field = _declaration(model, where, document)
    about = (field.description or "") if field is not None else ""
    if first["type"] == "extra_forbidden":
        names = list(owner.model_fields) if owner else []
        table = dotted(where[:-1]) or prefix
        return unknown_name(
            path, str(where[-1]), names, f"a field of [{table}]" if table else "a section of an experiment"
        )
    if first["type"] == "missing":
        return Mistake(
            path, "it is missing", f"expected here: {about.rstrip('.')}" if about else "", _misspelt(first, owner)
        )
    expected = " or ".join(dict.fromkeys(_expectation(e, about) for e in errors))
    optional = field is not None and not field.is_required()
    return Mistake(
        path,
        f"found {value_text(first['input'])}",
        f"expected {expected}",
        _fix(field, about),
        remedy=drop() if optional else None,
    )


def _misspelt(missing: ErrorDetails, owner: type[BaseModel] | None) -> str:
    given = missing["input"] if isinstance(missing["input"], Mapping) else {}
    meant = nearest(str(missing["loc"][-1]), [k for k in given if owner is None or k not in owner.model_fields])
    return f"Did you mean this by {meant}?" if meant else "Add it."


def _expectation(error: ErrorDetails, about: str) -> str:
    pattern = _EXPECTED.get(error["type"])
    if pattern:
        return pattern.format(**{k: _plain(v) for k, v in error.get("ctx", {}).items()})
    if error["type"] == "string_pattern_mismatch" and about:
        return about[0].lower() + about[1:].rstrip(".")
    return error["msg"][0].lower() + error["msg"][1:]


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fix(field: Any, about: str) -> str:
    if field is None or field.is_required():
        return "Correct it."
    default = field.get_default(call_default_factory=True)
    if default is None or isinstance(default, BaseModel):
        return "Correct it, or remove it."
    return f"Correct it, or remove it for the default, {value_text(default)}."


def _declaration(model: type[BaseModel], where: Location, document: Any) -> tuple[type[BaseModel] | None, Any]:
    """The model with the field at `where`, and that field; None if the location is not declared."""
    owner: type[BaseModel] | None = model
    field = None
    here = document
    for step in where:
        if isinstance(step, int):
            here = here[step]
            continue
        if field is not None:
            owner = _model_in(field.annotation, here.get("type") if isinstance(here, Mapping) else None)
        here = here.get(step) if isinstance(here, Mapping) else None
        field = owner.model_fields.get(step) if owner else None
        if owner is None:
            break
        if field is None:
            return owner, None
    return owner, field


def _model_in(annotation: Any, type_name: Any) -> type[BaseModel] | None:
    """The model in an annotation; of several, the one whose `type` has this name."""
    models = list(_models_in(annotation))
    named = [m for m in models if "type" in m.model_fields and m.model_fields["type"].default == type_name]
    return next(iter(named or models), None)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
