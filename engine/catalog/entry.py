"""An entry of the catalog: its torch class, its parameters as torch declares them, and when to use it."""

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

# Parameters that a document cannot set: torchdeck passes them, or they are tensors, devices or debugging aids.
SET_BY_TORCHDECK = frozenset(
    {"self", "params", "optimizer", "tensor", "generator", "device", "dtype", "weight", "pos_weight", "size_average"}
    | {"reduce", "reduction", "batch_first", "last_epoch", "verbose", "foreach", "fused", "capturable"}
    | {"differentiable", "maximize", "inplace", "return_indices", "sparse"}
)

NO_CLASS = frozenset({"metrics", "regularizers"})
"""Kinds whose entries have no class."""

# torch reports most of these only at the first forward pass, and in terms of tensors.
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
    """Type of its values in a document."""
    default: Any = None
    required: bool = False
    help: str = ""
    """From torch's documentation."""
    inferred: str = ""
    """Where its value comes from when it is left out; empty if it is not inferred."""
    listed_by: str = ""
    """Dotted name of a function that lists its possible values, if listing them takes an import."""

    @property
    def type(self) -> str:
        """The type as text: `int | [int, int]`."""
        return type_text(self.annotation)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The possible values, if there are a few; else empty."""
        return tuple(attribute(self.listed_by)()) if self.listed_by else choices(self.annotation)

    @property
    def choices_at_hand(self) -> tuple[Any, ...]:
        """As `choices`, but empty where an import would be needed first."""
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
    """One thing that can be chosen: a layer, a loss, a metric …"""

    kind: str
    name: str
    torch_name: str
    """Dotted name of the class or function: `torch.nn.Conv2d`; for a metric, a page that defines it."""
    summary: str
    """One sentence on what it does."""
    when: str
    """One sentence on when to use it."""
    group: str = ""
    """Group within the kind: `convolution`."""
    when_not: str = ""
    """One sentence on when to use something else, and what."""
    formula: str = ""
    """What it computes, in Unicode: `max(0, x)`."""
    path: str = ""
    """For a regularizer, its field in the document."""
    grew_from: str = ""
    """For an optimizer, its predecessor and the difference: `Adam, with Nesterov momentum`."""
    tasks: tuple[Task, ...] = ()
    """The tasks that it suits; empty for all."""
    goal: Literal["min", "max"] | None = None
    """For a metric, whether a smaller or a larger value is better."""
    inferred: Mapping[str, str] = field(default_factory=dict)
    """Parameters that may be left out, each with the source of its value."""
    hidden: frozenset[str] = frozenset()
    """Parameters that torchdeck sets, in addition to SET_BY_TORCHDECK."""
    types: Mapping[str, Any] = field(default_factory=dict)
    """Types in place of torch's annotations: narrower ones, or those of a document in place of tensors."""
    helps: Mapping[str, str] = field(default_factory=dict)
    """Help in place of torch's documentation."""
    signature_of: str = ""
    """Dotted name of a function or class whose signature is read in place of its own."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Parameters that similar entries have and this one does not, each with a sentence of what to do."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """Parameters and their Parameter.listed_by."""
    added: tuple[Parameter, ...] = ()
    """Parameters that torch does not have."""

    def torch_class(self) -> Any:
        """The class or function. Imports torch.

        Raises:
            LookupError: the entry is a metric or a regularizer, which has no class.
        """
        if self.kind in NO_CLASS:
            raise LookupError(f"{self.name} has no class")
        return attribute(self.torch_name)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters that a document can set, in the order of the signature. Imports torch."""
        return _parameters(self)

    @property
    def set_by_torchdeck(self) -> frozenset[str]:
        """Parameters of the signature that a document cannot set."""
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
    # torchdeck's own augmentations are documented here, so torchvision need not be imported.
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
            default = default.value  # modes and policies of torchvision
        annotation = entry.types.get(name, annotations.get(name, type(default)))
        allowed = document_type(annotation, _AT_LEAST.get(name))
        if allowed is None:
            continue
        if type_text(allowed) == "float" and isinstance(default, int):
            default = float(default)  # some defaults of torch are 0 for 0.0
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
