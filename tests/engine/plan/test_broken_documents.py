"""Documents that are each broken in one way, and what is said of them: `broken/NAME.toml` with `broken/NAME.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.editing.remedies import remedied
from engine.experiment import preset_names, read, reads
from engine.plan import check
from engine.plan.rules.subject import registered

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.toml"))


@pytest.mark.parametrize("document", BROKEN, ids=lambda path: path.stem)
def test_a_broken_document_is_answered_with_the_fields_the_reason_and_the_fix(document):
    said = "".join(f"{mistake.severity}: {mistake}\n" for mistake in check(read(document)).mistakes)
    assert said == document.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_check_has_a_document_that_it_speaks_up_on():
    documents = {path.stem: path for path in BROKEN}
    assert len(documents) >= 40
    for name in registered():
        assert check(read(documents[name])).mistakes, name


@pytest.mark.usefixtures("own_files")
@pytest.mark.parametrize("preset", preset_names())
def test_no_preset_is_warned_of(preset):
    assert check(read(preset)).mistakes == ()


@pytest.mark.parametrize(
    ("data", "layers"),
    [
        ("digits", "Flatten and Linear"),
        ("wine", "Linear, ReLU and Linear"),
        ("mackey-glass", "GRU and Linear"),
        ("stdlib-docs", "Embedding, GRU and Linear"),
        ("python-reference", "Embedding, GRU and Linear"),
    ],
)
def test_a_model_without_a_layer_is_offered_one_that_suits_the_data(data, layers):
    text = f'data = {{source = "{data}"}}\n[model]\nlayers = []\n'
    (mistake,) = check(reads(text)).mistakes
    assert str(mistake).endswith(f"Add layers, for example {layers}.")
    mended = check(reads(remedied(text, mistake)))
    assert mended.ok and mended.parameters > 0, mended.mistakes
