"""The form of a part of the document: all fields that can be set, each from its one declaration.

The fields of the document are read from its schema, the parameters of a choice from the catalog, and those of a data
source from its class. Types, defaults and help come from there too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.catalog import catalog
from engine.catalog.entry import Entry
from engine.catalog.layers.spec import LayerSpec
from engine.catalog.optimizers import HIDDEN_ONLY
from engine.catalog.value_types import LAYERS, choices, members
from engine.data.sources import SOURCES
from engine.editing.text import lookup
from engine.experiment.document import (
    Choice,
    Experiment,
    Names,
    Training,
)
from engine.experiment.draft import Draft
from engine.experiment.tree import CONTAINER_FIELDS

_DEVICE = ("device", "amp", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that can be set."""

    path: str
    """Its path in the document."""
    name: str
    annotation: Any
    """The type of its values, for `holds` and `type_words`."""
    depth: int = 0
    """Its level of indentation: the parameters of a choice are below the choice."""
    value: Any = None
    """The value of the document, or the default."""
    is_set: bool = False
    """Whether the document sets it."""
    default: Any = None
    required: bool = False
    inferred: str = ""
    """The origin of its value if it is not set."""
    help: str = ""
    names: str = ""
    """The kind of the catalog whose names it accepts."""
    options: tuple[str, ...] = ()
    """The names that it accepts, for a choice of a few names or of the catalog."""
    off: str = ""
    """The value that removes it: `none`; empty if it cannot be removed."""

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false."""
        return self.annotation is bool

    @property
    def is_number(self) -> bool:
        """Whether it can be a number."""
        return any(plain_type(m) in (int, float) for m in members(self.annotation))


def form(path: str, draft: Draft, complete: Experiment | None = None, *, parameters: bool = True) -> tuple[Field, ...]:
    """The fields of a part (`optimizer`, `device`) or of a layer (`model.layers[3]`).

    Args:
        complete: the experiment of the plan, in which "auto" is resolved.
        parameters: whether to include the parameters of catalog entries, which imports torch.
    """
    document = _parsed(draft.text) if draft.text else {}
    fields = _fields(path, document, complete, parameters)
    return tuple(field for field in fields if field.annotation is not LAYERS)


def _fields(path: str, document: Mapping[str, Any], complete: Experiment | None, parameters: bool) -> Iterator[Field]:
    if path == "experiment":
        for name in ("name", "seed"):
            yield from _declared(name, Experiment.model_fields[name], document.get(name, _ABSENT), name, parameters)
    elif path == "device":
        yield from _part(Training, document.get("training"), "training", parameters, only=_DEVICE)
    elif path == "training":
        others = tuple(name for name in Training.model_fields if name not in _DEVICE)
        yield from _part(Training, document.get("training"), "training", parameters, only=others)
    elif "[" in path:
        layer = Experiment.model_fields["model"].annotation.model_fields["layers"].annotation  # type: ignore[union-attr]
        yield from _choice(get_args(layer)[0], "layers", lookup(document, path), path, "type", parameters)
    elif path == "data":
        yield from _data(document.get("data"), parameters)
    else:
        field = Experiment.model_fields[path]
        model, kind = _model_of(field), _kind_of(field)
        value = document.get(path)
        if kind:
            resolved = getattr(complete, path).type if complete is not None and getattr(complete, path) else ""
            yield from _choice(model, kind, value, path, "type", parameters, default=field.default, resolved=resolved)
        else:
            yield from _part(model, value, path, parameters)


_ABSENT = object()


@lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _part(
    model: type[BaseModel], value: Any, path: str, parameters: bool, depth: int = 0, only: tuple[str, ...] | None = None
) -> Iterator[Field]:
    """The fields of a model of the schema."""
    values = value if isinstance(value, Mapping) else {}
    for name, info in model.model_fields.items():
        if name != "type" and (only is None or name in only):
            yield from _declared(name, info, values.get(name, _ABSENT), f"{path}.{name}", parameters, depth)


def _declared(name: str, info: FieldInfo, value: Any, path: str, parameters: bool, depth: int = 0) -> Iterator[Field]:
    """A field of the schema, and the fields of its value."""
    if name in CONTAINER_FIELDS:
        return
    kind, models = _kind_of(info), _models_of(info)
    is_set = value is not _ABSENT
    optional = any(m is NoneType for m in members(info.annotation))
    help = info.description or ""
    if kind and _lists_choices(info):
        yield from _choices(info, kind, value if is_set else (), path, name, parameters, depth, help)
    elif kind and models:
        yield from _choice(models[0], kind, value if is_set else None, path, name, parameters, depth=depth, help=help)
    elif len(models) > 1 or (models and optional):
        present = is_set and value not in (False, "none")
        type_ = value if isinstance(value, str) else value.get("type", "") if isinstance(value, Mapping) else ""
        names = tuple(str(m.model_fields["type"].default) for m in models) if len(models) > 1 else ()
        yield Field(
            path=path, name=name, annotation=str if names else bool, depth=depth, is_set=is_set, help=help,
            value=(type_ if names else True) if present else ("none" if names else False),
            default="none" if names else False, options=("none", *names) if names else (), off="none",
        )  # fmt: skip
        chosen = next((m for m in models if not names or m.model_fields["type"].default == type_), None)
        if present and chosen is not None:
            yield from _part(chosen, value, path, parameters, depth + 1)
    else:
        annotation = _annotation(info)
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        plain = default if not isinstance(default, tuple) else list(default)
        yield Field(
            path=path, name=name, annotation=annotation, depth=depth, value=value if is_set else plain, is_set=is_set,
            default=plain, required=info.is_required(), help=help, names=kind, off="none" if optional else "",
            options=tuple(str(c) for c in choices(annotation)) if _only_names(annotation) else (),
        )  # fmt: skip


def _lists_choices(info: FieldInfo) -> bool:
    """Whether a field is a list of catalog entries."""
    return get_origin(info.annotation) is tuple and get_args(info.annotation)[0] is Choice


def _choices(
    info: FieldInfo, kind: str, value: Any, path: str, name: str, parameters: bool, depth: int, help: str
) -> Iterator[Field]:
    """A list of choices: a field for each, and an empty one to add another."""
    items = list(value) if isinstance(value, (list, tuple)) else []
    for i, item in enumerate((*items, None)):
        title = f"{name} {i + 1}" if items else name
        yield from _choice(Choice, kind, item, f"{path}[{i}]", title, parameters, depth=depth, help=help)


def _choice(
    model: type[BaseModel],
    kind: str,
    value: Any,
    path: str,
    name: str,
    parameters: bool,
    *,
    default: Any = None,
    resolved: str = "",
    depth: int = 0,
    help: str = "",
) -> Iterator[Field]:
    """A choice of the catalog: its type, the parameters of the type, and the fields that all types have."""
    values = {"type": value} if isinstance(value, str) else value if isinstance(value, Mapping) else {}
    usual = default.type if isinstance(default, Choice) else "none"
    type_ = str(values.get("type", usual))
    own = name == "type"
    optional = kind != "layers" and usual == "none"
    automatic = ("auto",) if usual == "auto" else ()
    yield Field(
        path=f"{path}.type" if own and not optional else path, name=name, annotation=str, depth=depth, value=type_,
        is_set="type" in values, default=None if kind == "layers" else usual, required=kind == "layers",
        inferred=resolved if type_ == "auto" and resolved not in ("", "auto") else "", names=kind,
        help=help or (model.model_fields["type"].description or "" if "type" in model.model_fields else ""),
        options=(*(("none",) if optional else ()), *automatic, *catalog(kind)), off="none" if optional else "",
    )  # fmt: skip
    inner = depth if own else depth + 1
    entry = catalog(kind).get(resolved if type_ == "auto" else type_)
    if entry is not None and parameters:
        yield from _parameters(entry, values, path, inner)
    elif entry is not None or type_ not in ("none", "auto"):
        known = set(model.model_fields) | {"type"}
        for key, inside in values.items():
            if key not in known:
                yield Field(path=f"{path}.{key}", name=key, annotation=Any, depth=inner, value=inside, is_set=True)
    if entry is not None and own:
        fields = _part(model, values, path, parameters, inner)
        yield from (f for f in fields if f.is_set or _applies(entry, f.name, parameters))


def _applies(entry: Entry, name: str, parameters: bool) -> bool:
    """Whether a field that the schema has for all types applies to this one."""
    if entry.kind == "layers":
        return _initializes(entry, name, parameters)
    return name != "others" or entry.name in HIDDEN_ONLY


def _initializes(layer: Entry, name: str, parameters: bool) -> bool:
    """Whether a layer has weights that a field such as `recurrent_init` initializes."""
    field = name.split(".")[0]
    if field in ("forget_bias", "recurrent_init") or (name in ("init", "bias_init") and parameters):
        # A layer without biases is offered bias_init too.
        return isinstance(layer, LayerSpec) and ("init" if name == "bias_init" else field) in layer.initializers
    return True


def _parameters(entry: Entry, values: Mapping[str, Any], path: str, depth: int) -> Iterator[Field]:
    """The parameters of an entry."""
    for parameter in entry.parameters.values():
        is_set = parameter.name in values
        yield Field(
            path=f"{path}.{parameter.name}", name=parameter.name, annotation=parameter.annotation, depth=depth,
            value=values[parameter.name] if is_set else parameter.default, is_set=is_set, default=parameter.default,
            required=parameter.required, inferred=parameter.inferred, help=parameter.help,
            off="none" if parameter.default is None and not parameter.required and not parameter.inferred else "",
            options=tuple(map(str, parameter.choices_at_hand))
            if parameter.listed_by or _only_names(parameter.annotation) else (),
        )  # fmt: skip


def _data(value: Any, parameters: bool) -> Iterator[Field]:
    values = value if isinstance(value, Mapping) else {}
    model = _model_of(Experiment.model_fields["data"])
    source = values.get("source", "")
    yield Field(
        path="data.source", name="source", annotation=str, value=source, is_set="source" in values, required=True,
        help=model.model_fields["source"].description or "", names="sources", options=tuple(SOURCES),
    )  # fmt: skip
    yield from _part(model, values, "data", parameters, only=tuple(n for n in model.model_fields if n != "source"))
    if source in SOURCES:
        yield from _part(SOURCES[source], values, "data", parameters)


def _annotation(info: FieldInfo) -> Any:
    """The type of a field with its bounds, without None."""
    types = tuple(m for m in members(info.annotation) if m is not NoneType)
    if not types:
        return Any
    type_ = types[0] if len(types) == 1 else info.annotation
    bounds = tuple(m for m in info.metadata if not isinstance(m, Names))
    return Annotated[(type_, *bounds)] if bounds else type_


def _kind_of(info: FieldInfo) -> str:
    return next((m.kind for m in info.metadata if isinstance(m, Names)), "")


def kind_at(path: str) -> str:
    """The kind of the catalog for the path of a choice (`optimizer`, `model.layers[3]`); empty for other paths."""
    if path.endswith("]"):
        return "layers" if path.startswith("model.layers[") else ""
    model: type[BaseModel] = Experiment
    *parents, name = path.split(".")
    for step in parents:
        models = _models_of(model.model_fields[step]) if step in model.model_fields else []
        if not models:
            return ""
        model = models[0]
    return _kind_of(model.model_fields[name]) if name in model.model_fields else ""


def _models_of(info: FieldInfo) -> list[type[BaseModel]]:
    return [m for m in members(info.annotation) if isinstance(m, type) and issubclass(m, BaseModel)]


def _model_of(info: FieldInfo) -> type[BaseModel]:
    return _models_of(info)[0]


def plain_type(annotation: Any) -> Any:
    """A type without its bounds."""
    while get_args(annotation) and hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return annotation


def _only_names(annotation: Any) -> bool:
    """Whether a type is a choice of a few names."""
    return bool(choices(annotation)) and all(
        str(plain_type(m)).startswith("typing.Literal") for m in members(plain_type(annotation))
    )
