"""What is done to the data against the layers that it goes into."""

from __future__ import annotations

from collections.abc import Iterator

from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule


@rule
def published_weights_normalise_themselves(context: CheckContext) -> Iterator[Mistake]:
    """Pixels that are standardised twice: by the data, and by a backbone as its published weights want it."""
    description, data = context.description, context.experiment.data
    if description is None or not data.normalize or description.input_kind != "image" or description.stored != "uint8":
        return
    for place in context.places:
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


@rule
def validation_beside_fold(context: CheckContext) -> Iterator[Mistake]:
    """A share that is held back to validate on, where a fold is: its size is that of one of its parts."""
    data = context.experiment.data
    # The default is what every experiment says that was written down whole.
    if data.fold is None or data.validation == type(data).model_fields["validation"].default:
        return
    found, expected = f"found {value_text(data.validation)}", f"fold {data.fold} is validated on, so it is not used"
    yield Mistake("data.validation", found, expected, "Remove it.", severity="warning", remedy=drop())
