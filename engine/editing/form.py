"""The form of a part of the document: a field for everything that can be set there, from its one declaration.

The document's own fields are read from its schema, the parameters of a choice from the catalog, those of a data source
from its class. What a field may hold, what it is left out, and what it is for, are theirs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.catalog import catalog
from engine.catalog.entry import Entry
from engine.catalog.layers.spec import LayerSpec
from engine.catalog.optimizers import HIDDEN_ONLY
from engine.catalog.value_types import LAYERS, choices, holds, members, type_words
from engine.data.sources import SOURCES
from engine.editing.text import lookup
from engine.experiment.document import (
    Choice,
    Experiment,
    Names,
    Training,
)
from engine.experiment.draft import Draft
from engine.experiment.tree import HELD

_DEVICE = ("device", "amp", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that can be set."""

    path: str
    """Where it stands in the document."""
    name: str
    annotation: Any
    """The type of its values, as `holds` and `type_words` take it."""
    depth: int = 0
    """How far in it is shown: the parameters of a choice stand under it."""
    value: Any = None
    """What holds: what was given, or else the default."""
    given: bool = False
    """Whether the document says so itself."""
    default: Any = None
    required: bool = False
    inferred: str = ""
    """Where its value comes from when it is left out."""
    help: str = ""
    names: str = ""
    """The kind of the catalog whose names it takes."""
    options: tuple[str, ...] = ()
    """The names that it takes, where it is one of a few or one of the catalog's."""
    off: str = ""
    """What it is called when it is not there: `none`; empty where it is always there."""

    @property
    def switch(self) -> bool:
        """Whether it is on or off."""
        return self.annotation is bool

    @property
    def number(self) -> bool:
        """Whether it can hold a number."""
        return any(_plain(m) in (int, float) for m in members(self.annotation))


def form(place: str, draft: Draft, complete: Experiment | None = None, *, parameters: bool = True) -> tuple[Field, ...]:
    """The fields of a part (`optimizer`, `device`) or of a layer (`model.layers[3]`).

    Args:
        complete: the experiment of the plan, in which "auto" is resolved.
        parameters: whether the catalog may be asked for the parameters of its entries, which imports torch.
    """
    document = _parsed(draft.text) if draft.text else {}
    fields = _fields(place, document, complete, parameters)
    return tuple(field for field in fields if field.annotation is not LAYERS)


def _fields(place: str, document: Mapping[str, Any], complete: Experiment | None, parameters: bool) -> Iterator[Field]:
    if place == "experiment":
        for name in ("name", "seed"):
            yield from _declared(name, Experiment.model_fields[name], document.get(name, _ABSENT), name, parameters)
    elif place == "device":
        yield from _part(Training, document.get("training"), "training", parameters, only=_DEVICE)
    elif place == "training":
        others = tuple(name for name in Training.model_fields if name not in _DEVICE)
        yield from _part(Training, document.get("training"), "training", parameters, only=others)
    elif "[" in place:
        layer = Experiment.model_fields["model"].annotation.model_fields["layers"].annotation  # type: ignore[union-attr]
        yield from _choice(get_args(layer)[0], "layers", lookup(document, place), place, "type", parameters)
    elif place == "data":
        yield from _data(document.get("data"), parameters)
    else:
        field = Experiment.model_fields[place]
        model, kind = _model_of(field), _kind_of(field)
        value = document.get(place)
        if kind:
            resolved = getattr(complete, place).type if complete is not None and getattr(complete, place) else ""
            yield from _choice(model, kind, value, place, "type", parameters, default=field.default, resolved=resolved)
        else:
            yield from _part(model, value, place, parameters)


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
    """The fields of one of the schema's models."""
    given = value if isinstance(value, Mapping) else {}
    for name, info in model.model_fields.items():
        if name != "type" and (only is None or name in only):
            yield from _declared(name, info, given.get(name, _ABSENT), f"{path}.{name}", parameters, depth)


def _declared(name: str, info: FieldInfo, value: Any, path: str, parameters: bool, depth: int = 0) -> Iterator[Field]:
    """A field of the schema, and those that come with the value that it has."""
    if name in HELD:
        return
    kind, models = _kind_of(info), _models_of(info)
    given = value is not _ABSENT
    optional = any(m is NoneType for m in members(info.annotation))
    help = info.description or ""
    if kind and _lists_choices(info):
        yield from _choices(info, kind, value if given else (), path, name, parameters, depth, help)
    elif kind and models:
        yield from _choice(models[0], kind, value if given else None, path, name, parameters, depth=depth, help=help)
    elif len(models) > 1 or (models and optional):
        there = given and value not in (False, "none")
        type_ = value if isinstance(value, str) else value.get("type", "") if isinstance(value, Mapping) else ""
        names = tuple(str(m.model_fields["type"].default) for m in models) if len(models) > 1 else ()
        yield Field(
            path=path, name=name, annotation=str if names else bool, depth=depth, given=given, help=help,
            value=(type_ if names else True) if there else ("none" if names else False),
            default="none" if names else False, options=("none", *names) if names else (), off="none",
        )  # fmt: skip
        chosen = next((m for m in models if not names or m.model_fields["type"].default == type_), None)
        if there and chosen is not None:
            yield from _part(chosen, value, path, parameters, depth + 1)
    else:
        annotation = _annotation(info)
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        plain = default if not isinstance(default, tuple) else list(default)
        yield Field(
            path=path, name=name, annotation=annotation, depth=depth, value=value if given else plain, given=given,
            default=plain, required=info.is_required(), help=help, names=kind, off="none" if optional else "",
            options=tuple(str(c) for c in choices(annotation)) if _only_names(annotation) else (),
        )  # fmt: skip


def _lists_choices(info: FieldInfo) -> bool:
    """Whether a field holds a list of the catalog's entries."""
    return get_origin(info.annotation) is tuple and get_args(info.annotation)[0] is Choice


def _choices(
    info: FieldInfo, kind: str, value: Any, path: str, name: str, parameters: bool, depth: int, help: str
) -> Iterator[Field]:
    """A list of choices: a field for each, and one more, which is empty, to add to it."""
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
    """A choice of the catalog: its type, what the schema adds to every type, and the type's own parameters."""
    given = {"type": value} if isinstance(value, str) else value if isinstance(value, Mapping) else {}
    usual = default.type if isinstance(default, Choice) else "none"
    type_ = str(given.get("type", usual))
    own = name == "type"
    optional = kind != "layers" and usual == "none"
    automatic = ("auto",) if usual == "auto" else ()
    yield Field(
        path=f"{path}.type" if own and not optional else path, name=name, annotation=str, depth=depth, value=type_,
        given="type" in given, default=None if kind == "layers" else usual, required=kind == "layers",
        inferred=resolved if type_ == "auto" and resolved not in ("", "auto") else "", names=kind,
        help=help or (model.model_fields["type"].description or "" if "type" in model.model_fields else ""),
        options=(*(("none",) if optional else ()), *automatic, *catalog(kind)), off="none" if optional else "",
    )  # fmt: skip
    inner = depth if own else depth + 1
    entry = catalog(kind).get(resolved if type_ == "auto" else type_)
    if entry is not None and parameters:
        yield from _parameters(entry, given, path, inner)
    elif entry is not None or type_ not in ("none", "auto"):
        known = set(model.model_fields) | {"type"}
        for key, inside in given.items():
            if key not in known:
                yield Field(path=f"{path}.{key}", name=key, annotation=Any, depth=inner, value=inside, given=True)
    if entry is not None and own:
        fields = _part(model, given, path, parameters, inner)
        yield from (f for f in fields if f.given or _suits(entry, f.name, parameters))


def _suits(entry: Entry, name: str, parameters: bool) -> bool:
    """Whether a field that the schema has for every type says something of this one."""
    if entry.kind == "layers":
        return _begins(entry, name, parameters)
    return name != "others" or entry.name in HIDDEN_ONLY


def _begins(layer: Entry, name: str, parameters: bool) -> bool:
    """Whether a layer has weights that a field like `recurrent_init` says the beginning of."""
    field = name.split(".")[0]
    if field in ("forget_bias", "recurrent_init") or (name in ("init", "bias_init") and parameters):
        # A layer without biases is offered bias_init too.
        return isinstance(layer, LayerSpec) and ("init" if name == "bias_init" else field) in layer.initializers
    return True


def _parameters(entry: Entry, given: Mapping[str, Any], path: str, depth: int) -> Iterator[Field]:
    """The parameters of an entry, and what was given that it has not."""
    for parameter in entry.parameters.values():
        there = parameter.name in given
        yield Field(
            path=f"{path}.{parameter.name}", name=parameter.name, annotation=parameter.annotation, depth=depth,
            value=given[parameter.name] if there else parameter.default, given=there, default=parameter.default,
            required=parameter.required, inferred=parameter.inferred, help=parameter.help,
            off="none" if parameter.default is None and not parameter.required and not parameter.inferred else "",
            options=tuple(map(str, parameter.choices_at_hand))
            if parameter.listed_by or _only_names(parameter.annotation) else (),
        )  # fmt: skip


def _data(value: Any, parameters: bool) -> Iterator[Field]:
    given = value if isinstance(value, Mapping) else {}
    model = _model_of(Experiment.model_fields["data"])
    source = given.get("source", "")
    yield Field(
        path="data.source", name="source", annotation=str, value=source, given="source" in given, required=True,
        help=model.model_fields["source"].description or "", names="sources", options=tuple(SOURCES),
    )  # fmt: skip
    yield from _part(model, given, "data", parameters, only=tuple(n for n in model.model_fields if n != "source"))
    if source in SOURCES:
        yield from _part(SOURCES[source], given, "data", parameters)


def _annotation(info: FieldInfo) -> Any:
    """A field's type with its bounds, without None."""
    kept = tuple(m for m in members(info.annotation) if m is not NoneType)
    if not kept:
        return Any
    whole = kept[0] if len(kept) == 1 else info.annotation
    bounds = tuple(m for m in info.metadata if not isinstance(m, Names))
    return Annotated[(whole, *bounds)] if bounds else whole


def _kind_of(info: FieldInfo) -> str:
    return next((m.kind for m in info.metadata if isinstance(m, Names)), "")


def kind_at(path: str) -> str:
    """The kind of the catalog that a choice is of, by its path: `optimizer`, `model.layers[3]`; or empty."""
    if path.endswith("]"):
        return "layers" if path.startswith("model.layers[") else ""
    model: type[BaseModel] = Experiment
    *around, name = path.split(".")
    for step in around:
        models = _models_of(model.model_fields[step]) if step in model.model_fields else []
        if not models:
            return ""
        model = models[0]
    return _kind_of(model.model_fields[name]) if name in model.model_fields else ""


def _models_of(info: FieldInfo) -> list[type[BaseModel]]:
    return [m for m in members(info.annotation) if isinstance(m, type) and issubclass(m, BaseModel)]


def _model_of(info: FieldInfo) -> type[BaseModel]:
    return _models_of(info)[0]


def _plain(annotation: Any) -> Any:
    while get_args(annotation) and hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return annotation


def _only_names(annotation: Any) -> bool:
    """Whether it is one of a few names and nothing else."""
    return bool(choices(annotation)) and all(
        str(_plain(m)).startswith("typing.Literal") for m in members(_plain(annotation))
    )


def parsed(field: Field, text: str) -> Any:
    """What a person typed into a field, as a value of the document.

    Text needs no quotes, a list no brackets, a switch takes yes and no.

    >>> from typing import Union
    >>> parsed(Field(path="x", name="x", annotation=tuple[int, int]), "3, 5")
    [3, 5]
    """
    text = text.strip()
    if field.switch and text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    read = _toml(text)
    if read is not _ABSENT and _bears(field, read):
        return read
    if "," in text and (listed := _toml(f"[{text}]")) is not _ABSENT and _bears(field, listed):
        return listed
    if _bears(field, text):
        return text
    if (named := next((o for o in field.options if o.lower() == text.lower()), None)) is not None:
        return named
    return text if read is _ABSENT else read


_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _toml(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return _ABSENT
    return document["value"] if len(document) == 1 else _ABSENT


def _bears(field: Field, value: Any) -> bool:
    return field.annotation is Any or holds(field.annotation, value)


def wrong(field: Field, value: Any) -> str:
    """What a field expects, where it cannot hold a value: `expected a whole number of at least 1`; else empty."""
    if field.options and not field.names and str(value) not in field.options:
        return f"expected one of {', '.join(field.options)}"
    if field.names or _bears(field, value):
        return ""
    return f"expected {type_words(field.annotation)}"


_POWERS_OF_TWO = frozenset(
    {"out_channels", "out_features", "hidden_size", "embedding_dim", "batch_size", "dim_feedforward", "window"}
)


def stepped(field: Field, by: int) -> Any:
    """The value that comes after (`by` 1) or before (-1) a field's; its own where there is none.

    Names go round. Sizes are doubled and halved, rates go 1, 2, 5, shares by a twentieth, other numbers by one.
    """
    if field.switch:
        return not field.value
    if field.options:
        at = field.options.index(str(field.value)) if str(field.value) in field.options else -by
        return field.options[(at + by) % len(field.options)]
    value = field.value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, int) and any(_plain(m) is int for m in members(_plain(field.annotation))):
        new: int | float = value * 2 if by > 0 else -(-value // 2)
        new = new if field.name in _POWERS_OF_TWO and value > 0 else value + by
    elif _is_share(field):
        new = round((round(value * 20) + by) / 20, 2)
    else:
        new = _one_two_five(float(value), by)
    return new if not wrong(field, new) else value


def _is_share(field: Field) -> bool:
    bounds = [b for m in (field.annotation, *members(field.annotation)) for b in getattr(m, "__metadata__", ())]
    limits = [b for b in bounds for b in (b, *getattr(b, "metadata", ()))]
    below_one = any((isinstance(b, Lt) and b.lt == 1) or (isinstance(b, Le) and b.le == 1) for b in limits)
    above_zero = any((isinstance(b, Ge) and b.ge == 0) or (isinstance(b, Gt) and b.gt == 0) for b in limits)
    return field.name == "p" or (below_one and above_zero and not 0 < abs(field.value) < 0.01 and field.value < 0.97)


def _one_two_five(value: float, by: int) -> float:
    """The next of … 0.1, 0.2, 0.5, 1, 2, 5, 10 … above or below."""
    if value == 0:
        return 0.001 if by > 0 else 0.0
    if value < 0:
        return value + by
    series = [float(f"{m}e{e}") for e in range(-12, 13) for m in (1, 2, 5)]
    near = 1e-9 * value
    if by > 0:
        return next((s for s in series if s > value + near), value)
    return next((s for s in reversed(series) if s < value - near), value)
