"""The form has every declared field; each has its value, steps within its bounds, and can be set."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import catalog
from engine.editing.choices import choose, new_choice, set_switch
from engine.editing.form import Field, form
from engine.editing.text import set_value, unset, value_at
from engine.editing.values import next_value, parse_input, value_problem
from engine.experiment import preset_names, preset_text, reads
from engine.experiment.document import Data, Experiment, Layer, Model, Optimizer, Regularization, Scheduler, Training
from engine.experiment.tree import CONTAINER_FIELDS, walk
from engine.plan import check

EXAMPLES = 300 if os.environ.get("TORCHDECK_THOROUGH") else 20

PARTS = ("data", "model", "loss", "optimizer", "scheduler", "regularization", "training", "device")
DIGITS = preset_text("digits-cnn")


def fields(text: str, place: str) -> dict[str, Field]:
    draft = reads(text)
    return {field.path: field for field in form(place, draft, check(draft).experiment)}


def test_every_field_of_the_schema_is_in_a_form():
    text = set_value(DIGITS, "regularization.average", {"type": "ema"})
    text = set_value(text, "model.layers[0]", {"type": "LSTM", "hidden_size": 4})
    text = set_value(text, "optimizer.type", "Muon")
    shown = {path for place in (*PARTS, "model.layers[0]") for path in fields(text, place)}
    declared = {
        "data": Data, "model": Model, "optimizer": Optimizer, "scheduler": Scheduler, "training": Training,
        "regularization": Regularization, "model.layers[0]": Layer,
    }  # fmt: skip
    for place, model in declared.items():
        for name in model.model_fields:
            if name in CONTAINER_FIELDS or (place == "scheduler" and name == "type"):
                continue
            assert {f"{place}.{name}", f"{place}.{name}[0]"} & shown, f"{place}.{name}"
    assert {"scheduler", "loss.type", "training.early_stopping.patience", "regularization.average.decay"} <= shown


def test_every_parameter_of_every_choice_is_in_its_form():
    for kind, place in (("losses", "loss"), ("optimizers", "optimizer"), ("schedulers", "scheduler")):
        for name, entry in catalog(kind).items():
            text = set_value(DIGITS, place, {"type": name})
            shown = fields(text, place)
            assert {f"{place}.{p}" for p in entry.parameters} <= set(shown), name
    for name, entry in catalog("layers").items():
        text = set_value(DIGITS, "model.layers[0]", new_choice("layers", name))
        shown = fields(text, "model.layers[0]")
        assert {f"model.layers[0].{p}" for p in entry.parameters if p not in CONTAINER_FIELDS} <= set(shown), name


@pytest.mark.parametrize("name", sorted(catalog("layers")))
def test_a_new_layer_has_all_required_parameters(name):
    choice = new_choice("layers", name)
    parameters = {} if isinstance(choice, str) else choice
    assert {p.name for p in catalog("layers")[name].parameters.values() if p.required} <= set(parameters)


def test_fields_that_the_document_sets_are_distinguished_from_defaults():
    optimizer = fields(DIGITS, "optimizer")
    assert optimizer["optimizer.lr"].is_set and optimizer["optimizer.lr"].value == 3e-3
    assert not optimizer["optimizer.eps"].is_set and optimizer["optimizer.eps"].value == 1e-8
    assert fields(DIGITS, "model.layers[0]")["model.layers[0].in_channels"].inferred
    text = set_value(DIGITS, "loss", "auto")
    assert fields(text, "loss")["loss.type"].inferred == "CrossEntropyLoss"
    assert fields(unset(DIGITS, "scheduler"), "scheduler")["scheduler"].value == "none"


def test_a_form_without_torch_shows_the_set_fields():
    shown = {f.path: f for f in form("model.layers[0]", reads(DIGITS), parameters=False)}
    assert shown["model.layers[0].out_channels"].value == 32 and "model.layers[0].stride" not in shown


@pytest.mark.parametrize("preset", preset_names())
def test_all_fields_of_a_preset_are_valid_and_so_is_every_step(preset):
    text = preset_text(preset)
    draft = reads(text)
    complete = check(draft).experiment
    assert draft.experiment is not None
    for place in (*PARTS, *(p.path for p in walk(draft.experiment.model.layers))):
        for field in form(place, draft, complete):
            assert field.value is None or not value_problem(field, field.value), field
            for by in (1, -1):
                if not field.names:
                    assert next_value(field, by) is None or not value_problem(field, next_value(field, by)), field


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("optimizer.lr", "1e-4", 1e-4),
        ("optimizer.betas", "0.9, 0.99", [0.9, 0.99]),
        ("optimizer.betas", "[0.9, 0.99]", [0.9, 0.99]),
        ("optimizer.amsgrad", "yes", True),
        ("model.layers[0].padding", "valid", "valid"),
        ("model.layers[0].padding", "1", 1),
        ("model.layers[0].kernel_size", "3,5", [3, 5]),
        ("model.layers[0].padding_mode", "Reflect", "reflect"),
        ("training.device", "cuda:1", "cuda:1"),
        ("data.validation", ".25", ".25"),
    ],
)
def test_typed_text_becomes_a_value_of_the_document(path, typed, value):
    place = "device" if path.startswith("training.device") else path.rpartition(".")[0]
    assert parse_input(fields(DIGITS, place)[path], typed) == value


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("optimizer.lr", "fast", "expected a number"),
        ("model.layers[0].out_channels", 0, "expected a whole number of at least 1"),
        ("model.layers[0].out_channels", 1.5, "expected a whole number"),
        ("data.validation", 1.0, "expected a share between 0 and 1"),
        ("training.amp", "bf16", "expected one of auto, off, bfloat16, float16"),
        ("training.epochs", 0, "expected a whole number above 0"),
    ],
)
def test_a_field_describes_the_value_that_it_expects(path, value, problem):
    place = "device" if path == "training.amp" else path.rpartition(".")[0]
    assert value_problem(fields(DIGITS, place)[path], value).startswith(problem)


@pytest.mark.parametrize(
    ("name", "value", "annotation", "up", "down"),
    [
        ("lr", 1e-3, float, 2e-3, 5e-4),
        ("lr", 3e-3, float, 5e-3, 2e-3),
        ("out_channels", 32, int, 64, 16),
        ("patience", 5, int, 6, 4),
        ("p", 0.25, float, 0.3, 0.2),
        ("bias", True, bool, False, False),
    ],
)
def test_steps_are_the_usual_ones(name, value, annotation, up, down):
    field = Field(path=name, name=name, annotation=annotation, value=value)
    assert next_value(field, 1) == pytest.approx(up) and next_value(field, -1) == pytest.approx(down)


def test_a_new_choice_keeps_the_parameters_that_it_has_too():
    text = choose(DIGITS, fields(DIGITS, "optimizer")["optimizer.type"], "SGD")
    assert value_at(text, "optimizer") == {"type": "SGD", "lr": 0.1, "weight_decay": 0.01}
    layer = fields(DIGITS, "model.layers[0]")["model.layers[0].type"]
    conv = value_at(choose(DIGITS, layer, "Conv1d"), "model.layers[0]")
    assert conv == {"type": "Conv1d", "out_channels": 32, "kernel_size": 3, "padding": "same"}
    assert value_at(choose(DIGITS, layer, "Linear"), "model.layers[0]") == {"type": "Linear", "out_features": 64}
    init = fields(DIGITS, "model")["model.init"]
    assert value_at(choose(DIGITS, init, "orthogonal_"), "model.init") == "orthogonal_"
    assert value_at(choose(DIGITS, init, "none"), "model.init") is None
    scheduler = fields(DIGITS, "scheduler")["scheduler"]
    assert value_at(choose(DIGITS, scheduler, "none"), "scheduler") is None
    new = choose(unset(DIGITS, "scheduler"), scheduler, "StepLR")
    assert "[scheduler]" in new and value_at(new, "scheduler.type") == "StepLR"
    source = fields(preset_text("mackey-glass-gru"), "data")["data.source"]
    assert set(value_at(choose(preset_text("mackey-glass-gru"), source, "digits"), "data")) <= {
        "source", "validation", "batch_size", "test",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "typed", "rate"),
    [
        ({"type": "AdamW", "lr": 3e-3}, "SGD", None, 0.1),
        ({"type": "AdamW"}, "SGD", None, 0.1),
        ({"type": "AdamW", "lr": 3e-3}, "SGD", 3e-3, 3e-3),
        ({"type": "AdamW", "lr": 3e-3}, "SGD", 1e-2, 0.1),  # the typed value was undone
        ({"type": "SGD", "lr": 0.1}, "AdamW", None, 1e-3),
        ({"type": "SGD"}, "AdamW", None, None),
        ({"type": "SGD", "lr": 0.1}, "Adadelta", None, 1.0),
        ({"type": "AdamW", "lr": 3e-3}, "Muon", None, 0.02),
        ({"type": "Muon", "lr": 0.02}, "RMSprop", None, 1e-2),
        ({"type": "SGD", "lr": 0.5}, "LBFGS", None, 1.0),
        ({"type": "SGD", "lr": 0.5}, "SGD", None, 0.5),
    ],
)
def test_another_optimizer_gets_its_usual_rate_unless_one_was_typed(old, new, typed, rate):
    text = set_value(DIGITS, "optimizer", old)
    field = fields(text, "optimizer")["optimizer.type"]
    chosen = choose(text, field, new, {} if typed is None else {"optimizer.lr": typed})
    assert value_at(chosen, "optimizer.lr") == rate
    assert not [m for m in check(reads(chosen)).mistakes if m.path == "optimizer.lr"]


def test_the_second_optimizer_of_muon_gets_its_usual_rate_too():
    text = set_value(DIGITS, "optimizer", {"type": "Muon", "lr": 0.02, "others": {"type": "AdamW", "lr": 3e-3}})
    chosen = choose(text, fields(text, "optimizer")["optimizer.others"], "SGD")
    assert value_at(chosen, "optimizer.others.lr") == 0.1
    assert value_at(chosen, "optimizer.lr") == 0.02


def test_an_optional_part_is_switched_on_with_its_first_field():
    field = fields(DIGITS, "training")["training.early_stopping"]
    off = set_switch(DIGITS, field, False)
    assert value_at(off, "training.early_stopping") is None
    assert value_at(set_switch(off, field, True), "training.early_stopping") == {"monitor": "val_loss"}
    amsgrad = fields(DIGITS, "optimizer")["optimizer.amsgrad"]
    assert value_at(set_switch(DIGITS, amsgrad, True), "optimizer.amsgrad") is True


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(preset_names()), st.data())
def test_setting_a_field_to_its_next_value_changes_only_that_field(preset, data):
    text = preset_text(preset)
    draft = reads(text)
    place = data.draw(st.sampled_from([p for p in PARTS if p != "model"]))
    choices = [f for f in form(place, draft) if not f.names and not f.off and not f.options and f.is_number]
    if not choices:
        return
    field = data.draw(st.sampled_from(choices))
    value = next_value(field, 1)
    if value == field.value:
        return
    new = reads(set_value(text, field.path, value))
    assert not new.mistakes
    assert {f.path: f.value for f in form(place, new)}[field.path] == pytest.approx(value)
    before, after = draft.experiment.model_dump(), new.experiment.model_dump()  # type: ignore[union-attr]
    assert {k for k in before if before[k] != after[k]} == {field.path.split(".")[0]}


def test_the_schema_names_the_kinds_of_its_choices():
    assert {n for n, f in Experiment.model_fields.items() if any(hasattr(m, "kind") for m in f.metadata)} == {
        "loss", "optimizer", "scheduler",
    }  # fmt: skip
