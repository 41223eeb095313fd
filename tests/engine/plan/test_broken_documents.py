"""Documents that are each broken in one way, and what is said of them: `broken/NAME.toml` with `broken/NAME.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.editing.remedies import apply_fix
from engine.experiment import preset_names, read, reads
from engine.plan import check
from engine.plan.rules import precision, registry, resources

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.toml"))


@pytest.mark.parametrize("document", BROKEN, ids=lambda path: path.stem)
def test_a_broken_document_is_answered_with_the_fields_the_reason_and_the_fix(document):
    said = "".join(f"{mistake.severity}: {mistake}\n" for mistake in check(read(document)).mistakes)
    assert said == document.with_suffix(".txt").read_text(encoding="utf-8")


def of_the_machine(rule):
    """Whether what the rule finds depends on the machine that the test runs on."""
    return rule.__module__ in (precision.__name__, resources.__name__)


def test_every_rule_has_a_document_that_breaks_it(monkeypatch):
    broken: set[str] = set()

    def recorded(rule):
        def recording(context):
            for mistake in rule(context):
                broken.add(rule.__name__)
                yield mistake

        return recording

    rules = {stage: [recorded(rule) for rule in of_stage] for stage, of_stage in registry.RULES.items()}
    names = {rule.__name__ for of_stage in registry.RULES.values() for rule in of_stage if not of_the_machine(rule)}
    monkeypatch.setattr(registry, "RULES", rules)
    for document in BROKEN:
        check(read(document))
    assert len(BROKEN) >= 40
    assert names - broken == set()


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
    mended = check(reads(apply_fix(text, mistake)))
    assert mended.ok and mended.parameters > 0, mended.mistakes
