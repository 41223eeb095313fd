"""Parameter groups, and the optimizer of the parameters that Muon leaves, against optimizer and model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.catalog import catalog
from engine.catalog.bind import build_optimizer, scratch_parameter
from engine.catalog.choices import TORCH_REFUSES, blame, check_parameters
from engine.catalog.compatibility import optimizer_mistakes
from engine.catalog.named_layers import named_layer_mistakes
from engine.catalog.optimizers import HIDDEN_ONLY, NEEDS_CLOSURE, ONE_GROUP
from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake, drop, put
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule_after


@rule_after("choices")
def others_do_not_suit(context: CheckContext) -> Iterator[Mistake]:
    """`others` without Muon, or an optimizer that `others` cannot name."""
    choice = context.experiment.optimizer
    path, others = "optimizer.others", choice.others
    if others is None or choice.type not in catalog("optimizers"):
        return
    if choice.type not in HIDDEN_ONLY:
        found, fix = f"{choice.type} trains every parameter", 'Remove it, or use optimizer.type = "Muon".'
        yield Mistake(path, found, "others is for parameters that Muon does not train", fix, choice.type, remedy=drop())
    elif others.type in HIDDEN_ONLY | NEEDS_CLOSURE:
        expected = f"{choice.type} leaves biases and vectors to it, which it cannot train"
        if others.type in NEEDS_CLOSURE:
            expected = "it needs a closure, which two optimizers cannot share"
        found, remedy = f"{others.type} cannot be used here", put("AdamW", path)
        yield Mistake(f"{path}.type", found, expected, 'Use "AdamW".', choice.type, remedy=remedy)
    else:
        yield from optimizer_mistakes(others, path)[0]


@rule_after("choices")
def no_bias_decay_without_decay(context: CheckContext) -> Iterator[Mistake]:
    """no_bias_decay for an optimizer that has no weight_decay."""
    choice = context.experiment.optimizer
    if context.optimizer is None or not choice.no_bias_decay:
        return
    if "weight_decay" not in catalog("optimizers")[choice.type].parameters:
        path, found = "optimizer.no_bias_decay", f"{choice.type} has no weight_decay"
        yield Mistake(path, found, "no_bias_decay has no effect", "Remove it.", choice.type, remedy=drop())


@rule_after("choices")
def groups_do_not_suit(context: CheckContext) -> Iterator[Mistake]:
    """Parameter groups of unknown layers, or with parameters that the optimizer does not accept."""
    choice = context.experiment.optimizer
    if context.optimizer is None or not choice.groups:
        return
    if choice.type in ONE_GROUP:
        found, fix = f"{choice.type} has one parameter group", 'Remove it, or use optimizer.type = "AdamW".'
        yield Mistake(
            "optimizer.groups", found, "torch does not support several for it", fix, choice.type, remedy=drop()
        )
        return
    entry = catalog("optimizers")[choice.type]
    layers, trained = context.experiment.model.layers, context.trained_by_layer

    def attempt(**tried: Any) -> None:
        fields = {"type": choice.type, **choice.parameters, **tried}
        build_optimizer(Choice.model_validate(fields), [scratch_parameter()], fused=False)

    for index, group in enumerate(choice.groups):
        path = f"optimizer.groups[{index}]"
        yield from named_layer_mistakes(
            group.layers, f"{path}.layers", layers, trained, "a parameter group needs weights"
        )
        checked = check_parameters(entry, group.parameters, path)
        yield from checked.mistakes
        if checked.mistakes:
            continue
        if not group.parameters:
            fix = "Add a parameter, for example lr, or remove the group."
            yield Mistake(
                path, "the group has no parameters", f"expected a parameter of {choice.type}", fix, severity="warning"
            )
        try:
            attempt(**checked.parameters)
        except TORCH_REFUSES as error:
            yield blame(entry, checked.parameters, error, attempt, path)


@rule_after("schedule")
def nothing_for_muon(context: CheckContext) -> Iterator[Mistake]:
    """Muon for a network that has no weight matrix between its first and its last layer."""
    choice, groups = context.experiment.optimizer, context.groups
    # A layer that was left out because of its form may have one.
    if groups is None or any(mistake.path.startswith("model") for mistake in context.draft.mistakes):
        return
    if choice.type in HIDDEN_ONLY and all(group.optimizer != choice.type for group in groups):
        found = "the model has no weight matrix between its first and its last layer"
        expected = f"{choice.type} trains such matrices only"
        fix = 'Use optimizer.type = "AdamW", or add a Linear or a recurrent layer between them.'
        yield Mistake("optimizer.type", found, expected, fix, choice.type, remedy=put("AdamW"))
