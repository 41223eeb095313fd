"""Whether the parameter groups of an optimizer suit it and the model. Paths are those of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.catalog import catalog
from engine.catalog.bind import build_optimizer, scratch_parameter
from engine.catalog.choices import blame, check_parameters
from engine.catalog.named_layers import named_layer_mistakes
from engine.catalog.optimizers import ONE_GROUP
from engine.experiment.document import Choice, Layer, Optimizer
from engine.experiment.mistakes import Mistake, drop


def group_mistakes(choice: Optimizer, layers: Sequence[Layer], parameters: Mapping[str, int]) -> Iterator[Mistake]:
    """What is wrong with `groups` and `no_bias_decay`, of an optimizer that has no mistake of its own.

    Args:
        parameters: how many each layer has, by its path; without the layers of which that is not known.
    """
    entry = catalog("optimizers")[choice.type]
    if choice.no_bias_decay and "weight_decay" not in entry.parameters:
        path, found = "optimizer.no_bias_decay", f"{choice.type} has no weight_decay"
        yield Mistake(path, found, "so it has no effect", "Remove it.", choice.type, remedy=drop())

    if choice.groups and choice.type in ONE_GROUP:
        found, fix = f"{choice.type} moves all weights alike", 'Remove it, or use optimizer.type = "AdamW".'
        yield Mistake("optimizer.groups", found, "torch gives it a single group", fix, choice.type, remedy=drop())
        return

    def attempt(**tried: Any) -> None:
        fields = {"type": choice.type, **choice.parameters, **tried}
        build_optimizer(Choice.model_validate(fields), [scratch_parameter()], fused=False)

    for index, group in enumerate(choice.groups):
        path = f"optimizer.groups[{index}]"
        yield from named_layer_mistakes(group.layers, f"{path}.layers", layers, parameters, "a group is of weights")
        checked = check_parameters(entry, group.parameters, path)
        yield from checked.mistakes
        if checked.mistakes:
            continue
        if not group.parameters:
            fix = "Give it a setting of its own, for example lr, or remove it."
            yield Mistake(path, "it changes nothing", f"expected a parameter of {choice.type}", fix, severity="warning")
        try:
            attempt(**checked.parameters)
        except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
            yield blame(entry, checked.parameters, error, attempt, path)
