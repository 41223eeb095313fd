"""What is done to the data against the layers that it goes into."""

from __future__ import annotations

from collections.abc import Iterator

from engine.checks.subject import Subject, check
from engine.experiment.mistakes import Mistake, put
from engine.experiment.tree import walk


@check
def published_weights_normalise_themselves(subject: Subject) -> Iterator[Mistake]:
    """Pixels that are standardised twice: by the data, and by a backbone as its published weights want it."""
    description, data = subject.description, subject.experiment.data
    if description is None or not data.normalize or description.input_kind != "image" or description.stored != "uint8":
        return
    for place in walk(subject.experiment.model.layers):
        if place.layer.type == "torchvision" and place.layer.parameters.get("weights", "none") != "none":
            yield Mistake(
                "data.normalize",
                "pixels are standardised by the training part",
                f"{place.path} takes them from 0 to 1 and standardises them as its published weights want it",
                "Set data.normalize = false.",
                severity="warning",
                remedy=put(False),
            )
            return
