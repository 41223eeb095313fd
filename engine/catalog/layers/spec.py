"""How a layer is declared: its entry in the catalog and everything that `check` has to know to trace it.

A file of this package declares one family. An entry in it is one layer; what it leaves out follows from torch: its
parameters from the signature, its output shape from a run of the module on the `meta` device. Formulas replace that run
where they are faster (torch's first convolution on `meta` imports half a second of decompositions); tests compare each
of them with torch itself. No file of this package imports torch before a layer is built.

Shapes are of one sample, without N. Letters: N batch, C channels, D depth, H height, W width, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Annotated, Any

from annotated_types import Ge, Le, Lt

from engine.catalog.entry import Entry, attribute
from engine.catalog.layers.signal import BY_DIMENSIONS, NUMBERS, DataFacts, Kind, Shape, Signal, shape_text
from engine.experiment.mistakes import Mistake, Remedy

Arguments = Mapping[str, Any]
Module = Any
"""A torch.nn.Module; torch is not imported here."""

BEFORE = "the layer before"
LAYER_COUNT = Annotated[int, Ge(1), Le(1000)]
"""Layers that are built one after the other: a larger number is a slip, and building them would hang."""
SHARE = Annotated[float, Ge(0), Lt(1)]

SIZES: dict[int, Any] = {1: int | tuple[int], 2: int | tuple[int, int], 3: int | tuple[int, int, int]}
"""The type of a size: one number, or one for each of so many dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a layer makes of one sample, and what that costs."""

    shape: Shape
    kind: Kind
    flops: int = 0
    """Of the forward pass, two for each multiply-and-add."""
    saved_bytes: int = 0
    """What autograd saves for the backward pass, in float32."""
    needs_two: bool = False
    """Whether training fails on a batch of one sample, because of a BatchNorm inside."""
    notes: tuple[str, ...] = ()
    """Sentences on what the layer does to its input or its weights by default."""


@dataclass(frozen=True, slots=True)
class InputFix:
    """What to do where a layer does not accept its input."""

    sentence: str
    remedy: Remedy | None = None
    """The same as a change of the document, where one change is enough."""
    then: Signal | None = None
    """The input after the fix; None where that is open."""


def run_on_meta(module: Module, shape: Shape) -> Shape:
    """The output shape of a module, from a run on the `meta` device."""
    import torch

    return tuple(module(torch.empty(1, *shape, device="meta")).shape[1:])


def same_shape(module: Module, shape: Shape) -> Shape:
    """The output shape of a layer that keeps the shape of its input."""
    return shape


def usual_kind(module: Module, before: Signal, shape: Shape) -> Kind:
    """The kind of the output: that of the input, unless the number of dimensions has changed."""
    return before.kind if len(shape) == len(before.shape) else BY_DIMENSIONS[len(shape)]


def no_flops(module: Module, before: Shape, after: Shape) -> int:
    """FLOPs of biases, activations, norms and pooling, which papers do not count."""
    return 0


def output_bytes(module: Module, before: Shape, after: Shape) -> int:
    """Bytes that autograd saves for the backward pass of a layer that saves about as much as it outputs."""
    return prod(after) * float_bytes()


def no_bytes(module: Module, before: Shape, after: Shape) -> int:
    """Bytes that autograd saves for a view of the input."""
    return 0


def float_bytes() -> int:
    """Bytes of one number in torch's default type."""
    import torch

    return torch.get_default_dtype().itemsize


def size_before(before: Signal) -> int:
    """The number of channels of a sample, or of features of a vector or of each step of a sequence."""
    return before.shape[-1] if before.kind == "sequence" else before.shape[0]


def _nothing_inferred(before: Signal, facts: DataFacts) -> dict[str, Any]:
    return {}


def _nothing_added(arguments: Arguments) -> dict[str, Any]:
    return {}


def _unchanged(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments


def _no_words(parameters: Arguments) -> list[str]:
    return []


def _no_values(parameters: Arguments) -> list[Mistake]:
    return []


def _no_contradiction(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[tuple[str, Mistake]]:
    yield from ()


def _no_mistake(_: Any, before: Signal) -> Mistake | None:
    return None


def _no_warning(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[Mistake]:
    yield from ()


def _no_outputs(parameters: Arguments, after: Signal, facts: DataFacts) -> Mistake | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerSpec(Entry):
    """One layer: its entry in the catalog, what it accepts, what it outputs, what it costs, and what can be wrong.

    Mistakes have paths relative to the layer, and no subject: the trace sets both.
    """

    kind: str = "layers"
    starts_with: Arguments = field(default_factory=dict)
    """Parameters that it has when it is added to a document, in addition to usual values of the required ones."""
    built_as: str = ""
    """The class that is built, where it is not `torch_name`: torch's own with an argument more."""

    accepts: tuple[Kind, ...] = NUMBERS
    instead: Mapping[Kind, str] = field(default_factory=dict)
    """The layer to use in place of it for inputs that it does not accept, by their kind."""
    input_fix: Callable[[Signal, DataFacts], InputFix] | None = None
    """What to do where it does not accept its input; None for the usual: see checks.usual_fix."""

    size_parameter: str = ""
    """The parameter that has to be the number of channels or features of the input; inferred where it is left out."""
    auto_parameter: str = ""
    """The parameter that may be "auto": the number of outputs, which the data and the loss decide."""
    infer: Callable[[Signal, DataFacts], dict[str, Any]] = _nothing_inferred
    """Arguments that follow from the input and the data, for parameters that are left out."""
    constructor: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged
    """From the arguments by the names of the document to those of the class."""
    meta_arguments: Callable[[Arguments], dict[str, Any]] = _nothing_added
    """Arguments to add on the `meta` device, where drawing first weights would import too much."""

    keeps_shape: bool = False
    """Whether the output has the shape of the input whatever the parameters, so that a trace can continue."""
    summarizes: bool = False
    """Whether output = "sequence" makes it output every step, and another value one vector for all steps."""
    output_shape: Callable[[Module, Shape], Shape] = run_on_meta
    """The shape of the output; a dimension below 1 means that nothing is left."""
    output_kind: Callable[[Module, Signal, Shape], Kind] = usual_kind
    flops: Callable[[Module, Shape, Shape], int] = no_flops
    """FLOPs of the forward pass of one sample, from the shapes before and after: two for each multiply-and-add of
    weights, as papers and torch.utils.flop_counter.FlopCounterMode count."""
    saved_bytes: Callable[[Module, Shape, Shape], int] = output_bytes
    """Bytes that autograd saves for the backward pass of one sample, in float32, from the shapes before and after: an
    estimate."""
    measure: Callable[[Module, Arguments, Signal], Figures | Mistake] | None = None
    """Takes the place of the four fields before it where a layer is a whole network and has to be run."""

    initializers: frozenset[str] = frozenset()
    """The fields of a document that can set how its weights start: init, bias_init, recurrent_init, forget_bias."""

    check_values: Callable[[Arguments], list[Mistake]] = _no_values
    """Mistakes in values of the right type, before the input is known."""
    contradictions: Callable[[Arguments, Signal, DataFacts], Iterator[tuple[str, Mistake]]] = _no_contradiction
    """Parameters that contradict the input or the data; the trace continues without them."""
    check_arguments: Callable[[Arguments, Signal], Mistake | None] = _no_mistake
    """The first mistake in all arguments, inferred ones included, against each other and the input."""
    check_module: Callable[[Module, Signal], Mistake | None] = _no_mistake
    """The first mistake that torch would report at the first forward pass only, in words about tensors."""
    warnings: Callable[[Arguments, Signal, DataFacts], Iterator[Mistake]] = _no_warning
    """What runs, but not as a user may expect."""
    outputs_mistake: Callable[[Arguments, Signal, DataFacts], Mistake | None] = _no_outputs
    """The mistake of a network that ends with this layer and has too many or too few outputs; None where a Linear has
    to be added."""
    label_words: Callable[[Arguments], list[str]] = _no_words
    """What distinguishes it from others of its type, for tables."""

    def module_class(self) -> Any:
        """The class that a network is built from. Imports torch."""
        return _module_class(self.built_as or self.torch_name)

    def label(self, parameters: Arguments) -> str:
        """The layer in a few words: `Conv2d 16, 3×3 same`."""
        return f"{self.name} {', '.join(self.label_words(parameters))}".strip()


@cache
def _module_class(dotted: str) -> Any:
    return attribute(dotted)


def shows(*names: str) -> Callable[[Arguments], list[str]]:
    """Label words: the values of these parameters, where they are given."""
    return lambda parameters: [number_words(parameters[name]) for name in names if name in parameters]


def number_words(value: Any) -> str:
    """A number, or several of them as `3×3`."""
    return shape_text(tuple(value)) if isinstance(value, (list, tuple)) else f"{value}"
