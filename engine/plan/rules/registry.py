"""The registry of rules: what the parts of a document demand of each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake
from engine.plan.context import CheckContext

Stage = Literal["model", "choices", "schedule", "resources"]
"""The stages of a check that rules follow; after the last one everything in a CheckContext is known."""

Rule = Callable[[CheckContext], Iterable[Mistake]]
"""Yields every mistake that it finds. What it needs and does not know, it passes over."""

RULES: dict[Stage, list[Rule]] = {stage: [] for stage in get_args(Stage)}


def rule(function: Rule) -> Rule:
    """Register a rule that runs when everything is known."""
    return rule_after("resources")(function)


def rule_after(stage: Stage) -> Callable[[Rule], Rule]:
    """Register a rule that runs at the end of a stage: later stages then know what it found."""

    def register(function: Rule) -> Rule:
        RULES[stage].append(function)
        return function

    return register


def unregister(function: Rule) -> None:
    """Take a rule out of the registry."""
    for rules in RULES.values():
        if function in rules:
            rules.remove(function)


def checked(stage: Stage, context: CheckContext) -> CheckContext:
    """The context with what the rules of a stage find. Each rule sees the mistakes that those before it found."""
    for each in RULES[stage]:
        context = context.with_mistakes(each(context))
    return context


def number(choice: Choice, name: str, default: float | None = None) -> float | None:
    """A parameter of a choice if it is a finite number; other rules report values of another type."""
    value: Any = choice.parameters.get(name, default)
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    # A whole number of TOML may be larger than any float.
    return value if usable and abs(value) < 1e300 and math.isfinite(value) else None


def epochs_text(epochs: float) -> str:
    """`1 epoch`, `12 epochs`."""
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
