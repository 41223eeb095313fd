"""One thing that can be chosen: its torch class, its parameters as torch declares them, and when to use it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

from engine.catalog.docstrings import parameter_help
from engine.catalog.value_types import as_lists, choices, document_type, signature_types, type_text

Task = Literal["classification", "regression", "forecasting", "language modelling"]

# What nobody sets in a document: torchdeck passes these itself, or they name tensors, places and debugging aids.
SET_BY_TORCHDECK = frozenset(
    {"self", "params", "optimizer", "tensor", "generator", "device", "dtype", "weight", "pos_weight", "size_average"}
    | {"reduce", "reduction", "batch_first", "last_epoch", "verbose", "foreach", "fused", "capturable"}
    | {"differentiable", "maximize", "inplace", "return_indices", "sparse"}
)

NO_CLASS = frozenset({"metrics", "regularizers"})
"""Kinds whose entries are not constructed."""

# torch finds most of these out at the first forward pass only, in words about tensors.
_AT_LEAST = {
    **dict.fromkeys(("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups", "output_size"), 1),
    **dict.fromkeys(("in_features", "out_features", "num_features", "num_channels", "num_groups"), 1),
    **dict.fromkeys(("num_embeddings", "embedding_dim", "input_size", "hidden_size", "num_layers"), 1),
    **dict.fromkeys(("normalized_shape", "num_parameters", "divisor_override", "upscale_factor"), 1),
    **dict.fromkeys(("downscale_factor", "size", "d_model", "nhead", "dim_feedforward", "max_length"), 1),
    **dict.fromkeys(("T_max", "T_0", "T_mult", "step_size", "total_steps", "step_size_up", "step_size_down"), 1),
    **dict.fromkeys(("milestones", "total_iters"), 1),
    **dict.fromkeys(("padding", "proj_size", "patience", "cooldown", "padding_idx", "output_padding"), 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an entry, as torch declares it."""

    name: str
    annotation: Any = field(repr=False)
    """The type that a value in a document must have."""
    default: Any = None
    required: bool = False
    help: str = ""
    """What torch's documentation says about it."""
    inferred: str = ""
    """Where the value comes from when it is left out; empty where nothing is inferred."""
    listed_by: str = ""
    """The function that lists the values that can be named, where to know them takes an import of its own."""

    @property
    def type(self) -> str:
        """Its type as text: `int | [int, int]`."""
        return type_text(self.annotation)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that can be named, where it is one of a few."""
        return tuple(attribute(self.listed_by)()) if self.listed_by else choices(self.annotation)

    @property
    def choices_at_hand(self) -> tuple[Any, ...]:
        """The same, without those that no one has asked for yet and that an import would be needed for."""
        if self.listed_by and not attribute(self.listed_by).cache_info().currsize:
            return ()
        return self.choices

    def as_dict(self) -> dict[str, Any]:
        """The parameter as data, for `catalog --json`."""
        return {
            "name": self.name,
            "type": self.type,
            "default": self.default,
            "required": self.required,
            "choices": list(self.choices),
            "inferred": self.inferred or None,
            "help": self.help,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One thing that can be chosen."""

    kind: str
    name: str
    torch_name: str
    """Where the class or function is found: `torch.nn.Conv2d`; for a metric, where its definition is."""
    summary: str
    """What it is, in one sentence."""
    when: str
    """When to take it, in one sentence."""
    group: str = ""
    """What it is for, where a kind has many entries: `convolution`."""
    when_not: str = ""
    """When to take something else, and what, in one sentence."""
    formula: str = ""
    """What it computes, in plain Unicode: `max(0, x)`."""
    path: str = ""
    """For a regularizer, where in the document it is set."""
    grew_from: str = ""
    """For an optimizer, of what it was made and how it differs, in a phrase: `Adam, with Nesterov's look ahead`."""
    tasks: tuple[Task, ...] = ()
    """What it suits; empty where it suits every task."""
    goal: Literal["min", "max"] | None = None
    """For a metric, whether less or more is better."""
    inferred: Mapping[str, str] = field(default_factory=dict)
    """Parameters that may be left out, each with where its value then comes from."""
    hidden: frozenset[str] = frozenset()
    """Parameters that torchdeck sets itself, beside those that it always sets."""
    types: Mapping[str, Any] = field(default_factory=dict)
    """Types in place of torch's annotation: narrower, or what a document holds where torch takes a tensor."""
    helps: Mapping[str, str] = field(default_factory=dict)
    """Help on a parameter where torch's documentation says too little."""
    signature_of: str = ""
    """Whose signature to read where the class itself shows only `*args`."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Parameters that it has not but its like have, each with the sentence of what to do instead."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """Parameters whose values a function lists: see Parameter.listed_by."""
    added: tuple[Parameter, ...] = ()
    """Parameters that torchdeck adds to torch's."""

    def torch_class(self) -> Any:
        """The class or function itself. Imports torch.

        Raises:
            LookupError: it has no class: a metric is computed, a regularizer is a setting.
        """
        if self.kind in NO_CLASS:
            raise LookupError(f"{self.name} is not constructed: it has no class of its own")
        return attribute(self.torch_name)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What can be set, by name, in the order of the signature. Imports torch."""
        return _parameters(self)

    @property
    def set_by_torchdeck(self) -> frozenset[str]:
        """Parameters of the signature that are not for a document."""
        return (SET_BY_TORCHDECK | self.hidden) - set(self.types)

    def as_dict(self) -> dict[str, Any]:
        """The entry as data, for `catalog --json`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "torch_name": self.torch_name,
            "group": self.group,
            "summary": self.summary,
            "when": self.when,
            "when_not": self.when_not,
            "formula": self.formula,
            "path": self.path,
            "grew_from": self.grew_from,
            "tasks": list(self.tasks),
            "goal": self.goal,
            "parameters": [parameter.as_dict() for parameter in self.parameters.values()],
        }


def attribute(dotted: str) -> Any:
    """What a dotted name of a module's attribute stands for. Imports the module."""
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)


@cache
def _parameters(entry: Entry) -> Mapping[str, Parameter]:
    if entry.kind in NO_CLASS:
        return MappingProxyType({})
    declared = attribute(entry.signature_of) if entry.signature_of else entry.torch_class()
    # Where torchdeck's own does it on whole batches, its torchvision need not be imported to say how.
    documented = declared if entry.signature_of.startswith("engine.") else entry.torch_class()
    function = declared.__init__ if inspect.isclass(declared) else declared
    annotations = signature_types(function)
    help_texts = parameter_help(declared) | parameter_help(documented)
    found: dict[str, Parameter] = {}
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if name in entry.set_by_torchdeck or name.startswith("_"):
            continue
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        if isinstance(default, Enum):
            default = default.value  # what a document holds of torchvision's modes and policies
        annotation = entry.types.get(name, annotations.get(name, type(default)))
        allowed = document_type(annotation, _AT_LEAST.get(name))
        if allowed is None:
            continue
        if type_text(allowed) == "float" and isinstance(default, int):
            default = float(default)  # torch writes 0 where it means 0.0
        found[name] = Parameter(
            name=name,
            annotation=allowed,
            default=None if name in entry.inferred else as_lists(default),
            required=parameter.default is inspect.Parameter.empty and name not in entry.inferred,
            help=entry.helps.get(name, help_texts.get(name, "")),
            inferred=entry.inferred.get(name, ""),
            listed_by=entry.listed.get(name, ""),
        )
    return MappingProxyType(found | {parameter.name: parameter for parameter in entry.added})
