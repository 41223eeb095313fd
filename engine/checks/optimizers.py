"""The optimizer's parameters against each other and against what is usual for it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.checks.subject import Subject, check, number
from engine.experiment.mistakes import Mistake, value_text

_USUAL_LR = {
    "SGD": (1e-5, 2.0),
    "Adam": (1e-6, 0.1),
    "AdamW": (1e-6, 0.1),
    "NAdam": (1e-6, 0.1),
    "RAdam": (1e-6, 0.1),
    "Adamax": (1e-6, 0.2),
    "RMSprop": (1e-6, 0.1),
    "Adagrad": (1e-5, 1.0),
    "Adadelta": (1e-3, 10.0),
}
"""Learning rates beyond which an optimizer hardly ever learns anything: below it stands still, above it diverges."""

_COUPLED = frozenset({"Adam", "NAdam", "RAdam"})


@check
def rate_is_out_of_range(subject: Subject) -> Iterator[Mistake]:
    """A learning rate far from what the optimizer is used with."""
    optimizer = subject.experiment.optimizer
    lr = number(optimizer, "lr")
    if lr is None or lr < 0 or optimizer.type not in _USUAL_LR:
        return
    least, most = _USUAL_LR[optimizer.type]
    if least <= lr <= most:
        return
    expected = f"{optimizer.type} usually learns between {least:g} and {most:g}"
    found, fix = f"found {value_text(lr)}", "Set it to 0.1, say." if optimizer.type == "SGD" else "Set it to 1e-3, say."
    if lr == 0:
        found = "found 0, by which nothing is learned"
    if optimizer.type == "Adadelta":
        fix = "Set it to 1, say."
    yield Mistake("optimizer.lr", found, expected, fix, optimizer.type, "warning")


@check
def decay_goes_through_the_gradient(subject: Subject) -> Iterator[Mistake]:
    """Weight decay as Adam has it is scaled down where gradients are large (Loshchilov and Hutter, 2019)."""
    optimizer = subject.experiment.optimizer
    decay = number(optimizer, "weight_decay", 0.0)
    if optimizer.type not in _COUPLED or not decay or optimizer.parameters.get("decoupled_weight_decay") is True:
        return
    found = f"in {optimizer.type} it goes through the gradients, which weakens it where they are large"
    fix = (
        'Use optimizer.type = "AdamW".' if optimizer.type == "Adam" else "Set optimizer.decoupled_weight_decay = true."
    )
    yield Mistake("optimizer.weight_decay", found, "", fix, optimizer.type, "warning")
