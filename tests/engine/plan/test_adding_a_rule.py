"""A new rule is one decorated function: `check` then reports what it finds."""

from __future__ import annotations

import pytest

from engine.experiment import Mistake, read
from engine.plan import check
from engine.plan.rules.registry import rule, rule_after, unregister


@pytest.fixture
def registered():
    added = []
    yield added.append
    for each in added:
        unregister(each)


def test_a_rule_that_is_registered_at_run_time_is_checked(registered):
    @rule
    def name_is_too_short(context):
        """A name of fewer than four letters."""
        name = context.experiment.name
        if len(name) < 4:
            yield Mistake("name", f"{name!r} has {len(name)} letters", "expected at least 4", "Write a longer name.")

    registered(name_is_too_short)
    assert check(read("wine")).ok
    plan = check(read("wine", ["name=abc"]))
    assert [mistake.path for mistake in plan.mistakes] == ["name"]
    assert str(plan.mistakes[0]).endswith("Write a longer name.")
    assert not plan.ok
    unregister(name_is_too_short)
    assert check(read("wine", ["name=abc"])).ok


def test_a_rule_of_an_earlier_stage_knows_what_the_stages_before_it_found(registered):
    seen = {}

    @rule_after("model")
    def after_the_model(context):
        seen["model"] = (context.trained, context.optimizer, context.lr)
        return ()

    @rule_after("choices")
    def after_the_choices(context):
        seen["choices"] = (type(context.optimizer).__name__, context.lr)
        yield Mistake("scheduler", "it is not wanted", "", "Remove it.", severity="warning")

    registered(after_the_model)
    registered(after_the_choices)
    plan = check(read("digits-cnn"))
    assert seen["model"] == (plan.parameters, None, ())
    assert seen["choices"] == ("AdamW", ())
    # A mistake of the scheduler leaves the learning rates open.
    assert plan.ok and not plan.lr
