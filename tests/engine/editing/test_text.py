"""Changes of the text of a document: the result is compared with plain values, the layout with the changed lines."""

from __future__ import annotations

import copy
import os
import tomllib
from difflib import ndiff
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.editing import text as edit
from engine.editing.text import Span
from engine.experiment import preset_names, preset_text

EXAMPLES = 500 if os.environ.get("TORCHDECK_THOROUGH") else 30

PRESETS = {name: preset_text(name) for name in preset_names()}
DIGITS, RESNET = PRESETS["digits-cnn"], PRESETS["resnet-digits"]


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def test_a_field_changes_only_its_line():
    assert changed_lines(DIGITS, edit.set_value(DIGITS, "optimizer.lr", 1e-3)) == ["- lr = 3e-3", "+ lr = 0.001"]
    assert changed_lines(RESNET, edit.set_value(RESNET, "model.layers[5].layers[0].stride", 1)) == [
        '-     {type = "Conv2d", out_channels = 32, kernel_size = 3, stride = 2, padding = 1, bias = false},',
        '+     {type = "Conv2d", out_channels = 32, kernel_size = 3, stride = 1, padding = 1, bias = false},',
    ]


def test_a_bare_name_becomes_a_table_and_a_name_again():
    widened = edit.set_value(DIGITS, "model.layers[1].eps", 1e-3)
    assert changed_lines(DIGITS, widened) == ['-   "BatchNorm2d",', '+   {type = "BatchNorm2d", eps = 0.001},']
    assert edit.unset(widened, "model.layers[1].eps") == DIGITS


def test_a_new_part_becomes_a_section():
    new = edit.set_value(RESNET, "regularization.l1", 1e-4)
    assert changed_lines(RESNET, new) == ["+ ", "+ [regularization]", "+ l1 = 0.0001"]
    assert changed_lines(DIGITS, edit.set_value(DIGITS, "training.early_stopping.min_delta", 0.1)) == [
        '- early_stopping = {monitor = "val_loss", patience = 8}',
        '+ early_stopping = {monitor = "val_loss", patience = 8, min_delta = 0.1}',
    ]


def test_another_type_keeps_only_the_named_parameters():
    new = edit.change_type(DIGITS, "optimizer", "SGD", {"lr": 3e-3})
    assert changed_lines(DIGITS, new) == ['- type = "AdamW"', '+ type = "SGD"', "- weight_decay = 0.01"]
    new = edit.change_type(DIGITS, "model.layers[3]", "AvgPool2d", {"kernel_size": 2})
    assert edit.value_at(new, "model.layers[3]") == {"type": "AvgPool2d", "kernel_size": 2}
    assert edit.value_at(edit.change_type(DIGITS, "model.layers[3]", "ReLU"), "model.layers[3].type") == "ReLU"


def test_layers_are_inserted_and_removed_a_line_each_and_comments_stay():
    new = edit.insert(RESNET, Span("model.layers", 5, 5), ["Tanh"])
    assert changed_lines(RESNET, new) == ['+   "Tanh",']
    assert edit.remove(new, Span("model.layers", 5, 6)) == RESNET
    inner = edit.insert(RESNET, Span("model.layers[3].layers", 5, 5), [{"type": "Dropout", "p": 0.1}])
    assert changed_lines(RESNET, inner) == ['+     {type = "Dropout", p = 0.1},']
    assert comments(edit.move(RESNET, Span("model.layers", 4, 5), 1)) == comments(RESNET)


def test_the_first_layer_of_an_empty_model_gets_a_separate_line():
    empty = 'name = "mine"\n\n[data]\nsource = "digits"\n\n[model]\nlayers = []  # begin here\n'
    new = edit.insert(empty, Span("model.layers", 0, 0), ["Flatten"])
    assert new == empty.replace("[]  # begin", '[\n  "Flatten",\n]  # begin')
    new = edit.insert(new, Span("model.layers", 1, 1), [{"type": "Residual", "layers": ["ReLU"]}])
    assert '  {type = "Residual", layers = [\n    "ReLU",\n  ]},\n]' in new
    without = empty.replace("layers = []  # begin here\n", "")
    assert edit.value_at(edit.insert(without, Span("model.layers", 0, 0), ["Tanh"]), "model.layers") == ["Tanh"]


def test_wrapping_and_unwrapping_restore_the_layers():
    span = Span("model.layers", 4, 7)
    for type in ("Residual", "Repeat", "Sequential", "Concat"):
        wrapped = edit.wrap(DIGITS, span, type)
        layer = edit.value_at(wrapped, "model.layers[4]")
        inside = layer["branches"][0] if type == "Concat" else layer["layers"]
        assert layer["type"] == type and inside == edit.layers_of(DIGITS, span)
        assert tomllib.loads(edit.unwrap(wrapped, "model.layers[4]")) == tomllib.loads(DIGITS)
    assert edit.unwrap(DIGITS, "model.layers[0]") == DIGITS


@pytest.mark.parametrize(
    "unusual",
    [
        'model.layers = ["Flatten", {type = "Tanh"}]\ndata = {source = "digits"}\noptimizer = "SGD"\n',
        '[data]\nsource = "digits"\n[[model.layers]]\ntype = "Flatten"\n[[model.layers]] # a comment\ntype = "ReLU"\n',
        'data.source = "digits"\r\n[model]\r\nlayers = ["Flatten", # one\r\n "ReLU"]\r\n[training.early_stopping]\r\n',
        '[model]\nlayers = ["Flatten", "ReLU",]\n[optimizer]\n[model.init]\ntype = "ones_"\n[data]\nsource = "digits"',
    ],
)
def test_any_layout_supports_every_change(unusual):
    before = tomllib.loads(unusual)
    size = len(before["model"]["layers"])
    assert tomllib.loads(edit.set_value(unusual, "optimizer.lr", 0.5))["optimizer"]["lr"] == 0.5
    assert tomllib.loads(edit.set_value(unusual, "seed", 3)) == {**before, "seed": 3}
    layers = [*before["model"]["layers"][: size - 1], "Tanh", *before["model"]["layers"][size - 1 :]]
    assert edit.value_at(edit.insert(unusual, Span("model.layers", size - 1, size), ["Tanh"]), "model.layers") == layers
    for index in range(size):
        removed = edit.value_at(edit.remove(unusual, Span("model.layers", index, index + 1)), "model.layers")
        assert removed == before["model"]["layers"][:index] + before["model"]["layers"][index + 1 :]
    wrapped = edit.wrap(unusual, Span("model.layers", 0, 2), "Sequential")
    assert len(edit.value_at(wrapped, "model.layers[0].layers")) == 2


LAYER = st.recursive(
    st.sampled_from(["ReLU", {"type": "Linear", "out_features": 8}, {"type": "Conv2d", "kernel_size": [3, 3]}]),
    lambda inner: st.builds(
        lambda layers: {"type": "Residual", "layers": layers}, st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=4,
)


def lists_of(layers: list[Any], path: str = "model.layers") -> dict[str, list[Any]]:
    """Every list of layers by its path."""
    found = {path: layers}
    for i, layer in enumerate(layers):
        if isinstance(layer, dict):
            if "layers" in layer:
                found |= lists_of(layer["layers"], f"{path}[{i}].layers")
            for b, branch in enumerate(layer.get("branches", ())):
                found |= lists_of(branch, f"{path}[{i}].branches[{b}]")
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(sorted(PRESETS)), st.data())
def test_changes_of_the_text_equal_changes_of_plain_lists(name, data):
    text = PRESETS[name]
    for _ in range(data.draw(st.integers(1, 6))):
        document = tomllib.loads(text)
        expected = copy.deepcopy(document)
        lists = lists_of(expected["model"]["layers"])
        path = data.draw(st.sampled_from(sorted(lists)))
        inside = lists[path]
        start = data.draw(st.integers(0, len(inside)))
        stop = data.draw(st.integers(start, len(inside)))
        span = Span(path, start, stop)
        match data.draw(st.sampled_from(["insert", "remove", "duplicate", "move", "wrap", "set"])):
            case "insert":
                new = data.draw(st.lists(LAYER, min_size=1, max_size=2))
                inside[start:start] = copy.deepcopy(new)
                text = edit.insert(text, span, new)
            case "remove":
                del inside[start:stop]
                text = edit.remove(text, span)
            case "duplicate":
                inside[stop:stop] = copy.deepcopy(inside[start:stop])
                text = edit.duplicate(text, span)
            case "move":
                by = data.draw(st.integers(-2, 2))
                moved = inside[start:stop]
                del inside[start:stop]
                to = min(max(0, start + by), len(inside))
                inside[to:to] = moved
                text = edit.move(text, span, by)
            case "wrap":
                inside[start:stop] = [{"type": "Sequential", "layers": inside[start:stop]}]
                text = edit.wrap(text, span, "Sequential")
            case "set" if start < len(inside):
                layer = inside[start]
                inside[start] = (
                    {"type": layer, "init": "zeros_"} if isinstance(layer, str) else {**layer, "init": "zeros_"}
                )
                text = edit.set_value(text, f"{path}[{start}].init", "zeros_")
        assert tomllib.loads(text) == expected
        assert comments(text)[:2] == comments(PRESETS[name])[:2]


def test_a_rewritten_text_is_the_same_document():
    for text in PRESETS.values():
        document = tomllib.loads(text)
        assert tomllib.loads(edit.dumps(document)) == document
        assert "  {type" in edit.dumps(document) or '  "' in edit.dumps(document)
