"""Applied fixes: the mistake is gone, no error is new, and comments stay."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from engine.editing.remedies import apply_fix
from engine.editing.text import set_value
from engine.experiment import Mistake, preset_names, preset_text, reads
from engine.experiment.mistakes import put
from engine.plan import check

BROKEN = sorted((Path(__file__).parents[1] / "plan" / "broken").glob("*.toml"))
UNFIXABLE = {
    "dropout_drops_predictions": "it can be moved or removed",
    "norm_after_dropout": "two layers change places",
    "loss_of_another_task": "another loss is another task",
    "ten_classes_with_a_loss_of_two": "another loss or other classes",
    "nothing_counts": "only a person knows which samples count",
    "weights_of_other_classes": "only a person knows the missing weight",
    "initializers_against_shapes": "another initializer or one for the layer",
    "parts_do_not_suit": "another scheduler or another part",
}
"""Broken documents without a safe fix, and why."""


def errors(text: str) -> list[str]:
    return [str(m) for m in check(reads(text)).mistakes if m.severity == "error"]


@pytest.mark.parametrize("document", BROKEN, ids=lambda path: path.stem)
def test_the_fix_of_a_broken_document_removes_the_mistake(document):
    text = document.read_text(encoding="utf-8")
    mistakes = check(reads(text)).mistakes
    with_fix = [m for m in mistakes if m.remedy is not None]
    if document.stem in UNFIXABLE:
        assert not with_fix
        return
    assert with_fix, mistakes
    new = apply_fix(text, with_fix[0])
    assert new is not None and new != text
    after = [str(m) for m in check(reads(new)).mistakes]
    assert str(with_fix[0]) not in after
    assert not set(errors(new)) - set(errors(text))


CNN, LSTM = preset_text("digits-cnn"), preset_text("mackey-glass-lstm")
CONV = {"type": "Conv2d", "kernel_size": 3}


@pytest.mark.parametrize(
    ("text", "path", "value", "fixed"),
    [
        (CNN, "optimizer.type", "Adma", "Adam"),
        (CNN, "optimizer.lr", "fast", None),
        (CNN, "optimizer.betas", [0.9, 1.5], None),
        (CNN, "training.amp", "float16", "bfloat16"),
        (CNN, "training.device", "cuda:7", "auto"),
        (CNN, "model.layers[0].padding", "sme", "same"),
        (CNN, "model.layers[0].in_channels", 3, None),
        (CNN, "model.layers[0].kernel_size", 9, 9),
        (CNN, "model.layers[7].kernel_size", 64, 4),
        (CNN, "model.layers[1]", "BatchNorm1d", "BatchNorm2d"),
        (CNN, "model.layers[12].out_features", 7, "auto"),
        (CNN, "loss.type", "CrossEntropyLos", "CrossEntropyLoss"),
        (CNN, "scheduler.T_max", 0, None),
        (CNN, "regularization.mixup", 0.001, 0.2),
        (CNN, "model.layers[0]", CONV, CONV | {"out_channels": 16}),
        (LSTM, "regularization.cutmix", 1.0, None),
    ],
)  # fmt: skip
def test_a_wrong_value_is_fixed_at_its_field(text, path, value, fixed):
    from engine.editing.text import value_at

    wrong = set_value(text, path, value)
    plan = check(reads(wrong))
    fixes = [m for m in plan.mistakes if m.remedy is not None]
    new = apply_fix(wrong, fixes[0]) if fixes else wrong
    assert new is not None
    assert value_at(new, path) == fixed, plan.mistakes
    assert not errors(new)


def test_missing_layers_are_inserted():
    flat = CNN.replace('  "Flatten",\n', "")
    mistake = next(m for m in check(reads(flat)).mistakes if m.remedy is not None)
    assert apply_fix(flat, mistake) == CNN
    image = CNN.partition('  "Flatten",')[0] + CNN[CNN.index("]\n\n[loss]") :]
    mistake = next(m for m in check(reads(image)).mistakes if m.remedy is not None)
    new = apply_fix(image, mistake)
    assert new is not None and not errors(new) and '  "Flatten",\n  {type = "Linear", out_features = "auto"},\n]' in new


def test_the_json_of_a_mistake_has_its_fix():
    (mistake,) = check(reads(set_value(CNN, "model.layers[9].in_features", 100))).mistakes
    data = json.loads(json.dumps(mistake.as_dict()))
    assert data["remedy"] == {"do": "drop", "path": "model.layers[9].in_features", "value": None}


@pytest.mark.parametrize("seed", range(40))
def test_fixes_of_any_mutation_end_and_keep_the_document_readable(seed):
    chosen = random.Random(seed)
    text = preset_text(chosen.choice(preset_names()))
    if "torchvision" in text:
        text = CNN
    for _ in range(3):
        path = chosen.choice(
            ["optimizer.lr", "model.layers[0]", "model.layers[1]", "loss.type", "data.batch_size", "scheduler.type",
             "training.early_stopping.patience", "regularization.l2", "model.layers[0].kernel_size", "optimizer.foo"]
        )  # fmt: skip
        text = set_value(text, path, chosen.choice([0, -1, 3, "Adam", "ReLU", "Flatten", True, [1, 2], 1e9]))
    for _ in range(30):
        fixes = [m for m in check(reads(text)).mistakes if m.severity == "error" and m.remedy is not None]
        new = next((n for m in fixes if (n := apply_fix(text, m)) is not None and n != text), None)
        if new is None:
            break
        assert reads(new).experiment is not None
        text = new
    else:
        pytest.fail(f"fixes do not come to an end: {errors(text)}")


def test_a_key_is_renamed_and_its_comment_stays():
    text = CNN.replace("lr = 3e-3", "lrr = 3e-3  # tuned by hand, not lrr = 1")
    mistake = next(m for m in check(reads(text)).mistakes if m.remedy is not None)
    assert apply_fix(text, mistake) == CNN.replace("lr = 3e-3", "lr = 3e-3  # tuned by hand, not lrr = 1")
    section = CNN.replace("[optimizer]", "[optimiser]  # British")
    mistake = next(m for m in check(reads(section)).mistakes if m.remedy is not None)
    assert apply_fix(section, mistake) == CNN.replace("[optimizer]", "[optimizer]  # British")


def test_another_type_keeps_only_its_own_parameters():
    wrong = set_value(set_value(CNN, "optimizer", {"type": "SGD"}), "optimizer.momentum", 0.9)
    mistake = Mistake("optimizer.type", "found SGD", "expected AdamW", "Use AdamW.", remedy=put("AdamW"))
    new = apply_fix(wrong, mistake)
    assert new is not None and not errors(new) and "momentum" not in new


def test_a_wrong_key_next_to_the_right_one_is_not_fixed():
    both = CNN.replace("lr = 3e-3", "lr = 3e-3\nlrr = 1.0")
    mistake = next(m for m in check(reads(both)).mistakes if "lrr" in m.path)
    assert apply_fix(both, mistake) is None
