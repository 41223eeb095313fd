"""A layer in a few words, for tables: `Conv2d 16, 3×3 same`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.model.backbone import TYPE
from engine.model.backbone_mistakes import label_words
from engine.model.signal import size_text

_FIRST = {
    "Linear": "out_features",
    "Embedding": "embedding_dim",
    "LSTM": "hidden_size",
    "GRU": "hidden_size",
    "RNN": "hidden_size",
    "LeakyReLU": "negative_slope",
    "ELU": "alpha",
    "GroupNorm": "num_groups",
}


def label(type: str, parameters: Mapping[str, Any]) -> str:
    """The type and the parameters, as in the document, that tell the layer from others of its type."""
    if type == TYPE:
        return f"{type} {', '.join(label_words(parameters))}".strip()
    words: list[str] = []
    name = next((n for n in (_FIRST.get(type), "out_channels", "output_size", "p") if n in parameters), None)
    if name is not None:
        words.append(_numbers(parameters[name]))
    if "kernel_size" in parameters:
        kernel = parameters["kernel_size"]
        square = type == "Conv2d" and isinstance(kernel, int)
        words.append(" ".join([f"{kernel}×{kernel}" if square else _numbers(kernel), *_window(type, parameters)]))
    if parameters.get("num_layers", 1) != 1:
        words.append(f"{parameters['num_layers']} layers")
    if parameters.get("bidirectional") is True:
        words.append("bidirectional")
    if type in ("LSTM", "GRU", "RNN") and parameters.get("output", "last") != "last":
        words.append(str(parameters["output"]))
    return f"{type} {', '.join(words)}".strip()


def _window(type: str, parameters: Mapping[str, Any]) -> list[str]:
    words = []
    padding = parameters.get("padding", 0)
    if isinstance(padding, str):
        words += [padding] if padding != "valid" else []
    elif padding not in (0, [0], [0, 0]):
        words.append(f"pad {_numbers(padding)}")
    usual = 1 if type.startswith("Conv") else parameters["kernel_size"]
    if "stride" in parameters and parameters["stride"] != usual:
        words.append(f"stride {_numbers(parameters['stride'])}")
    words += [
        f"{n} {_numbers(parameters[n])}" for n in ("dilation", "groups") if parameters.get(n, 1) not in (1, [1, 1])
    ]
    return words


def _numbers(value: Any) -> str:
    return size_text(tuple(value)) if isinstance(value, (list, tuple)) else f"{value}"
