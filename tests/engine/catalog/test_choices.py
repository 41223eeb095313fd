"""A choice with something wrong in it says where, what was found, what was expected, what to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import KINDS, catalog
from engine.catalog.choices import check_parameters, completed


def said(kind: str, name: str, path: str = "here", **given) -> list[str]:
    return [str(m) for m in check_parameters(catalog(kind)[name], given, path).mistakes]


def test_an_unknown_parameter_is_answered_with_the_nearest():
    (mistake,) = said("optimizers", "AdamW", "optimizer", lrr=1)
    assert mistake.startswith("optimizer.lrr: 'lrr' is not a parameter of AdamW")
    assert mistake.endswith("Did you mean lr?")


def test_a_misspelt_parameter_is_not_missed_a_second_time():
    assert len(said("layers", "Linear", out_featuers=3)) == 1


def test_a_missing_parameter_is_named_with_its_meaning():
    assert said("schedulers", "CosineAnnealingWarmRestarts", "scheduler") == [
        "scheduler CosineAnnealingWarmRestarts: T_0 is missing; expected a whole number of at least 1 or a share "
        "between 0 and 1. Add T_0: Scheduler steps until the first restart. A number below 1 is a share of the run."
    ]


@pytest.mark.parametrize(
    ("kind", "name", "given", "expected"),
    [
        ("optimizers", "SGD", {"lr": "fast"}, "expected a number"),
        ("optimizers", "SGD", {"lr": float("nan")}, "expected a number"),
        ("optimizers", "SGD", {"nesterov": 1}, "expected true or false"),
        ("optimizers", "SGD", {"momentum": True}, "expected a number"),
        ("optimizers", "Adam", {"betas": [0.9]}, "expected a pair of numbers"),
        ("layers", "Conv2d", {"out_channels": 0, "kernel_size": 3}, "a whole number of at least 1"),
        ("layers", "Conv2d", {"out_channels": 4, "kernel_size": [3, 3, 3]}, "or a pair of whole numbers"),
        ("layers", "Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": "smae"}, "Did you mean 'same'?"),
        ("layers", "LSTM", {"hidden_size": 4, "output": "final"}, "'last' or 'mean' or 'sequence'"),
        ("schedulers", "MultiStepLR", {"milestones": 3}, "expected a list of whole numbers"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_expected(kind, name, given, expected):
    (mistake,) = said(kind, name, **given)
    assert expected in mistake


def test_what_torchdeck_sets_itself_cannot_be_set():
    assert said("layers", "LSTM", hidden_size=4, batch_first=False) == [
        "here.batch_first LSTM: batch_first cannot be set here; torchdeck sets it. Remove it."
    ]


def test_whole_numbers_are_numbers_and_lists_are_tuples():
    assert said("optimizers", "Adam", lr=1, betas=[0, 0.99]) == []
    assert said("layers", "Conv2d", out_channels="auto", kernel_size=[3, 5], padding="same") == []


def test_a_completed_choice_has_every_default_and_still_holds():
    for kind in KINDS[:-1]:
        for entry in catalog(kind).values():
            odd = {"name": "resnet18", "dims": [0, 2, 1], "schedulers": ["LinearLR"], "unflattened_size": [2, 2]}
            required = {n: odd.get(n, 1) for n, p in entry.parameters.items() if p.required}
            complete = completed(entry, required)
            assert check_parameters(entry, complete, "here").mistakes == (), entry.name
            assert all(not isinstance(value, tuple) for value in complete.values())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@given(
    entry=st.sampled_from([e for kind in KINDS[:-1] for e in catalog(kind).values()]),
    given=st.dictionaries(st.sampled_from(["lr", "kernel_size", "padding", "p", "betas", "gamma", "a", "zz"]), VALUES),
)
@settings(deadline=None)
def test_any_parameters_at_all_are_answered_with_mistakes_and_never_raise(entry, given):
    checked = check_parameters(entry, given, "here")
    assert checked.whole or checked.mistakes
    assert set(checked.parameters) <= set(entry.parameters)
