"""Changes of the list of layers, which layers can be inserted, and the command that trains a document."""

from __future__ import annotations

import os
import shlex
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.editing import layers as editing
from engine.editing.choices import new_choice
from engine.editing.command_line import train_command
from engine.editing.insertable import input_text, insertion_problems
from engine.editing.text import Span, insert, set_value, unset, value_at
from engine.experiment import preset_names, preset_text, reads
from engine.plan import check

EXAMPLES = 300 if os.environ.get("TORCHDECK_THOROUGH") else 15

DIGITS, RESNET = preset_text("digits-cnn"), preset_text("resnet-digits")


def test_the_cursor_moves_to_the_change():
    assert editing.add(DIGITS, "", ["Tanh"]).at == "model.layers[0]"
    assert editing.add(DIGITS, "model.layers[3]", ["Tanh", "ReLU"]).at == "model.layers[4]"
    assert editing.delete(DIGITS, Span("model.layers", 12, 13)).at == "model.layers[11]"
    assert editing.delete(DIGITS, Span("model.layers", 0, 13)).at == ""
    assert editing.delete(RESNET, Span("model.layers[3].layers", 0, 5)).at == "model.layers[3]"
    assert editing.duplicate(DIGITS, Span("model.layers", 1, 3)).at == "model.layers[3]"
    assert editing.move(DIGITS, Span("model.layers", 1, 2), 1).at == "model.layers[2]"


def test_a_layer_moved_beyond_the_end_of_its_container_leaves_it():
    out = editing.move(RESNET, Span("model.layers[3].layers", 4, 5), 1)
    assert out.at == "model.layers[4]" and value_at(out.text, "model.layers[4]") == "BatchNorm2d"
    up = editing.move(RESNET, Span("model.layers[3].layers", 0, 1), -1)
    assert up.at == "model.layers[3]" and value_at(up.text, "model.layers[3].type") == "Conv2d"
    assert editing.move(DIGITS, Span("model.layers", 0, 1), -1).text == DIGITS


def test_layers_of_different_lists_are_not_selected_together():
    assert editing.span_between("model.layers[5]", "model.layers[2]") == Span("model.layers", 2, 6)
    assert editing.span_between("model.layers[5]", "model.layers[3].layers[0]") is None


def test_replacing_the_model_changes_only_the_model():
    text = editing.replace_model(DIGITS, preset_text("lenet")).text
    assert value_at(text, "model") == value_at(preset_text("lenet"), "model")
    assert {k: v for k, v in tomllib.loads(text).items() if k != "model"} == {
        k: v for k, v in tomllib.loads(DIGITS).items() if k != "model"
    }


@pytest.mark.parametrize(
    ("preset", "at"),
    [
        ("digits-cnn", Span("model.layers", 0, 0)),
        ("digits-cnn", Span("model.layers", 9, 9)),
        ("resnet-digits", Span("model.layers[3].layers", 1, 1)),
        ("mackey-glass-lstm", Span("model.layers", 0, 0)),
        ("stdlib-docs-lstm", Span("model.layers", 0, 0)),
    ],
)
def test_a_layer_can_be_inserted_where_check_finds_no_mistake_in_it(preset, at):
    text = preset_text(preset)
    experiment = check(reads(text)).experiment
    problems = insertion_problems(experiment, at)
    path = f"{at.list}[{at.start}]"
    for name, reason in problems.items():
        plan = check(reads(insert(text, at, [new_choice("layers", name)])))
        wrong = [m for m in plan.mistakes if m.severity == "error" and m.path.startswith(path)]
        # Mistakes at the end of the network are reported at its last layer, whatever layer it is.
        assert bool(reason) == bool(wrong) or at.start == len(experiment.model.layers), (name, reason, wrong)


def test_the_input_of_a_position_is_described_in_words():
    experiment = check(reads(DIGITS)).experiment
    assert input_text(experiment, Span("model.layers", 4, 4)) == "an image 32×4×4 (channels, height, width)"
    resnet = check(reads(RESNET)).experiment
    assert "16×8×8" in input_text(resnet, Span("model.layers[3].layers", 2, 2))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(preset_names()), st.data())
def test_the_command_trains_exactly_the_document(name, data):
    base = text = preset_text(name)
    for _ in range(data.draw(st.integers(0, 4))):
        text = data.draw(
            st.sampled_from(
                [
                    set_value(text, "optimizer.lr", 0.25),
                    set_value(text, "optimizer", "SGD"),
                    set_value(text, "training.epochs", 3),
                    set_value(text, "regularization.average", "ema"),
                    set_value(text, "name", "it's mine"[:4]),
                    set_value(text, "model.layers[0].init", {"type": "normal_", "std": 0.1}),
                    unset(text, "scheduler"),
                    unset(text, "loss.label_smoothing"),
                    insert(text, Span("model.layers", 1, 1), ["Identity"]),
                ]
            )
        )
    words = shlex.split(train_command(name, base, text))
    assert words[:3] == ["torchdeck", "train", name]
    overrides = [word for flag, word in zip(words[3::2], words[4::2], strict=True) if flag == "--set"]
    by_command, by_document = check(reads(base, overrides)), check(reads(text))
    assert by_command.experiment == by_document.experiment and by_command.mistakes == by_document.mistakes
