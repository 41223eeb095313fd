"""Documents and changes that no one writes on purpose: a sentence is reported, never a traceback."""

import pytest

from engine.experiment import read, reads


def said(draft):
    return [str(mistake) for mistake in draft.mistakes]


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000])
def test_a_value_that_toml_cannot_hold_is_a_mistake_of_its_place(value):
    (mistake,) = said(read("digits-cnn", [f"seed={value}"]))
    assert mistake.startswith("seed: ")


def test_a_number_of_thousands_of_digits_in_a_file_is_a_sentence():
    (mistake,) = said(reads(f"seed = {'9' * 5000}", origin="mine.toml"))
    assert mistake.startswith("mine.toml: it is not TOML")


def test_a_name_that_no_file_can_have_is_an_unknown_preset():
    (mistake,) = said(read("a" * 300))
    assert "is not a preset or a file" in mistake


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("scheduler={type='StepLR', step_size=2, warmup_epochs=inf}", "scheduler.warmup_epochs"),
        ("regularization.l1=inf", "regularization.l1"),
        ("training.threads=-3", "training.threads"),
        ("training.threads=100000", "training.threads"),
        (f"training.accumulation_steps={10**30}", "training.accumulation_steps"),
    ],
)
def test_a_number_out_of_all_bounds_is_a_mistake_of_its_place(change, path):
    (mistake,) = said(read("digits-cnn", [change]))
    assert mistake.startswith(f"{path}: "), mistake


def test_a_file_that_never_ends_is_not_read_to_its_end():
    (mistake,) = said(read("/dev/zero"))
    assert "at most 1 MiB" in mistake
