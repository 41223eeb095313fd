"""Descriptions and traces that the tests of this folder share."""

from __future__ import annotations

from typing import Any

from engine.data.description import Description
from engine.experiment import Choice, Data, Experiment, Model
from engine.model.construct import facts_of, signal_of
from engine.model.trace import Traced
from engine.model.trace_tree import everything, trace

AUTO = {"type": "Linear", "out_features": "auto"}
CONV = {"type": "Conv2d", "out_channels": 16, "kernel_size": 3, "padding": "same"}
_NUMBERS: dict[str, Any] = {"train_samples": 100, "val_samples": 20, "test_samples": 0, "bytes": 0}


def images(channels: int = 1, height: int = 8, width: int = 8, classes: int = 10) -> Description:
    shape = (channels, height, width)
    return Description(
        source="digits",
        task="classification",
        input_shape=shape,
        input_dtype="float32",
        input_kind="image",
        outputs=classes,
        **_NUMBERS,
    )


def sequences(time: int = 12, features: int = 3, outputs: int = 2) -> Description:
    return Description(
        source="mackey-glass",
        task="forecasting",
        input_shape=(time, features),
        input_dtype="float32",
        input_kind="sequence",
        outputs=outputs,
        **_NUMBERS,
    )


def texts(time: int = 9, vocabulary: int = 50, classes: int = 4) -> Description:
    return Description(
        source="stdlib-docs",
        task="classification",
        input_shape=(time,),
        input_dtype="int64",
        input_kind="tokens",
        outputs=classes,
        vocabulary_size=vocabulary,
        has_lengths=True,
        **_NUMBERS,
    )


def vectors(features: int = 6, outputs: int = 2) -> Description:
    return Description(
        source="arrays",
        task="regression",
        input_shape=(features,),
        input_dtype="float32",
        input_kind="vector",
        outputs=outputs,
        **_NUMBERS,
    )


def experiment(*layers: Any, init: Any = None, loss: str = "auto") -> Experiment:
    return Experiment(
        data=Data(source="digits"), model=Model.model_validate({"layers": layers, "init": init}), loss=Choice(type=loss)
    )


def traced(description: Description, *layers: Any, loss: str = "CrossEntropyLoss") -> tuple[Traced, ...]:
    document = Model.model_validate({"layers": layers})
    return trace(document.layers, signal_of(description), facts_of(description, loss))


def said(description: Description, *layers: Any, loss: str = "CrossEntropyLoss") -> list[str]:
    return [str(mistake) for layer in everything(traced(description, *layers, loss=loss)) for mistake in layer.mistakes]
