"""Layers against their neighbours and the batch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from engine.checks.subject import Subject, check, number
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake
from engine.experiment.tree import Place, by_path, walk

_ACTIVATIONS = frozenset(
    {
        *("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign"),
        *("Sigmoid", "Hardsigmoid", "LogSigmoid", "Tanh", "Hardtanh", "Hardswish", "Softmax", "LogSoftmax", "RReLU"),
    }
)


def neighbours(subject: Subject) -> Iterator[tuple[Place, Place]]:
    """Each two layers that follow each other in one list of layers."""
    last: dict[str, Place] = {}
    for place in walk(subject.experiment.model.layers):
        siblings = place.path.rpartition("[")[0]
        if siblings in last:
            yield last[siblings], place
        last[siblings] = place


def _index(place: Place) -> str:
    return place.path.removeprefix("model.")


@check
def batch_norm_over_one_value(subject: Subject) -> Iterator[Mistake]:
    """BatchNorm over a single value: torch fails at that batch, which may be the last of the epoch."""
    if subject.description is None:
        return
    batch, samples = subject.experiment.data.batch_size, subject.description.train_samples
    if min(batch, samples) > 1 and samples % batch != 1:
        return
    layers = by_path(subject.experiment.model.layers)
    for path, signal in subject.signals.items():
        type = layers[path].type
        if type.startswith("BatchNorm") and signal is not None and prod(signal.shape[1:]) == 1:
            better = next((b for b in range(max(batch, 2), samples) if samples % b != 1), 2)
            found = f"{samples} samples in batches of {batch} leave a batch of 1"
            expected = f"{type} needs at least 2"
            yield Mistake("data.batch_size", found, expected, f"Set data.batch_size = {better}.")
            return


@check
def two_activations(subject: Subject) -> Iterator[Mistake]:
    """Two activations with nothing to learn between them."""
    for before, place in neighbours(subject):
        if {before.layer.type, place.layer.type} <= _ACTIVATIONS:
            found = f"it follows {before.layer.type} at {_index(before)}"
            expected = "nothing is learned between two activations"
            yield Mistake(place.path, found, expected, "Remove one of them.", place.layer.type, "warning")


@check
def linear_on_an_image(subject: Subject) -> Iterator[Mistake]:
    """Linear on an image that is not laid out flat acts on its width alone."""
    first = subject.experiment.model.layers[0]
    description = subject.description
    if first.type == "Linear" and description is not None and description.input_kind == "image":
        yield _width_alone(Place("model.layers[0]", "", 0, first))
    for before, place in neighbours(subject):
        signal = subject.signals.get(before.path)
        if place.layer.type == "Linear" and signal is not None and signal.kind == "image":
            yield _width_alone(place)


def _width_alone(place: Place) -> Mistake:
    found = "it gets an image and acts on its width alone"
    return Mistake(place.path, found, "", "Put Flatten before it.", place.layer.type, "warning")


@check
def norm_after_dropout(subject: Subject) -> Iterator[Mistake]:
    """BatchNorm learns a variance with Dropout that is another without it (Li et al., 2019)."""
    for before, place in neighbours(subject):
        if place.layer.type.startswith("BatchNorm") and "Dropout" in before.layer.type and _drops(before.layer):
            found = f"it follows {before.layer.type} at {_index(before)}"
            expected = "the variance that it learns is another one once nothing is dropped"
            fix = f"Put {before.layer.type} after it."
            yield Mistake(place.path, found, expected, fix, place.layer.type, "warning")


def _drops(layer: Layer) -> bool:
    return number(layer, "p", 0.5) != 0


@check
def everything_is_dropped(subject: Subject) -> Iterator[Mistake]:
    """Dropout of 1 hands on nothing at all while training."""
    for place in walk(subject.experiment.model.layers):
        if "Dropout" in place.layer.type and number(place.layer, "p", 0.5) == 1:
            fix = "Set p to 0.5, say."
            yield Mistake(f"{place.path}.p", "found 1", "everything is dropped", fix, place.layer.type, "warning")
