"""From a layer of the document to the arguments of its torch class: what was given, and what is inferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.catalog import catalog
from engine.catalog.losses import ONE_OUTPUT
from engine.catalog.value_types import as_tuples
from engine.data.description import Description
from engine.model.containers import CONTAINERS
from engine.model.recurrent import RECURRENT
from engine.model.signal import OVER_CHANNELS, Signal

SIZE_PARAMETER = {
    "Linear": "in_features",
    **{f"{name}{n}d": "in_channels" for name in ("Conv", "ConvTranspose") for n in (1, 2, 3)},
    **{f"{name}{n}d": "num_features" for name in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)},
    "GroupNorm": "num_channels",
    **dict.fromkeys(RECURRENT, "input_size"),
    **dict.fromkeys(("TransformerEncoder", "PositionalEncoding"), "d_model"),
    "AttentionPooling": "in_features",
}
"""The parameter that says what a layer gets: the number of channels or of features before it."""

AUTO_PARAMETERS = ("out_features", "out_channels", "num_classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What layers are told by the data."""

    outputs: int
    steps: int | None = None
    """Steps of a sequence for each of which there are that many outputs; None: they are for the whole sample."""
    wants: str
    """How the data says that: `the data has 10 classes`."""
    vocabulary_size: int | None
    padded: bool
    rows_parameter: bool
    one_of_two: str = ""
    """The loss that would take one output in place of the two of two classes."""


def facts_of(description: Description, loss: str) -> Facts:
    """What the data and the loss ask of a network. Two classes that one output tells apart ask for one."""
    outputs = description.outputs
    if description.task == "classification":
        wants = f"the data has {outputs} classes"
        if loss in ONE_OUTPUT and outputs == 2:
            outputs, wants = 1, f"{loss} tells two classes apart by one output"
    elif description.task == "language modelling":
        wants = f"each of the {description.input_shape[0]} steps has {outputs} {description.token}s to choose from"
    else:
        wants = f"the data has {outputs} {'target' if outputs == 1 else 'targets'}"
    return Facts(
        outputs=outputs,
        steps=description.input_shape[0] if description.task == "language modelling" else None,
        wants=wants,
        vocabulary_size=description.vocabulary_size,
        padded=description.has_lengths,
        rows_parameter=_reads_rows(description.source),
        one_of_two="BCEWithLogitsLoss" if description.task == "classification" and outputs == 2 else "",
    )


def _reads_rows(source: str) -> bool:
    from engine.data.sources import SOURCES

    declaration = SOURCES.get(source)
    return declaration is not None and "as_rows" in declaration.model_fields


def signal_of(description: Description) -> Signal:
    """What the data hands to the first layer."""
    return Signal(shape=description.input_shape, kind=description.input_kind, origin="the data")


def size_before(type: str, signal: Signal) -> int:
    """What the parameter in `SIZE_PARAMETER` must be for a layer that gets `signal`."""
    return signal.shape[-1] if type == "Linear" or signal.kind == "sequence" else signal.shape[0]


def arguments(type: str, given: Mapping[str, Any], signal: Signal, facts: Facts) -> dict[str, Any]:
    """The arguments of the layer's class, the inferred ones included."""
    found = {name: as_tuples(value) for name, value in given.items()}
    for name in AUTO_PARAMETERS:
        if found.get(name) == "auto":
            found[name] = facts.outputs
    if type in SIZE_PARAMETER:
        found.setdefault(SIZE_PARAMETER[type], size_before(type, signal))
    if type in ("LayerNorm", "RMSNorm"):
        whole = signal.kind in ("image", "volume")
        found.setdefault("normalized_shape", signal.shape if whole else signal.shape[-1:])
    if type in ("Embedding", "EmbeddingBag"):
        found.setdefault("num_embeddings", facts.vocabulary_size)
        if facts.padded:
            found.setdefault("padding_idx", 0)
    if type in ("Softmax", "Softmin", "LogSoftmax", "GLU"):
        found.setdefault("dim", 1 if signal.kind in OVER_CHANNELS else -1)
    if type == "PositionalEncoding":
        found.setdefault("max_length", signal.shape[0])
    if "freeze" in found and type == "Embedding":
        found["_freeze"] = found.pop("freeze")  # torch's own name for it
    if type in RECURRENT and found.get("num_layers", 1) == 1:
        found.pop("dropout", None)  # between stacked layers only; torch would warn
    return found


def layer_class(name: str) -> type[nn.Module]:
    """The class that a layer's type names."""
    found: type[nn.Module] = RECURRENT.get(name) or CONTAINERS.get(name) or catalog("layers")[name].torch_class()
    return found
