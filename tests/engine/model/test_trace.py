"""A wrong layer is named with what it got, what it needs, and the fix; the rest is traced as if it were fixed."""

from __future__ import annotations

import time

import pytest
import torch
from networks import AUTO, CONV, images, said, sequences, texts, traced, vectors

POOL = {"type": "MaxPool2d", "kernel_size": 2}
LSTM = {"type": "LSTM", "hidden_size": 5}
TURN = {"type": "Permute", "dims": [0, 2, 1]}


def test_a_contradicting_size_is_named_with_both_ways_out():
    layers = [CONV, "ReLU", POOL, "Flatten", {"type": "Linear", "in_features": 100, "out_features": 64}, "ReLU", AUTO]
    assert said(images(), *layers) == [
        "model.layers[4] Linear: in_features is 100; the layer before gives 256. "
        "Remove in_features (it is inferred), or set it to 256."
    ]
    shapes = [layer.signal.shape for layer in traced(images(), *layers)]
    assert shapes == [(16, 8, 8), (16, 8, 8), (16, 4, 4), (256,), (64,), (64,), (10,)]


@pytest.mark.parametrize(
    ("description", "layers", "where", "fix"),
    [
        (images(), [CONV, AUTO], "model.layers[1] Linear", "Put a Flatten before it."),
        (
            images(),
            [{**CONV, "in_channels": 3}, "Flatten", AUTO],
            "model.layers[0] Conv2d: in_channels is 3; the data",
            "1.",
        ),
        (
            images(),
            [CONV, {"type": "BatchNorm2d", "num_features": 8}, "Flatten", AUTO],
            "model.layers[1]",
            "set it to 16.",
        ),
        (images(), [LSTM, AUTO], "model.layers[0] LSTM", "Set data.as_rows = true"),
        (
            images(),
            [{**CONV, "kernel_size": 9, "padding": 0}, "Flatten", AUTO],
            "kernel_size is 9×9",
            "the size with padding",
        ),
        (images(), [POOL, POOL, POOL, POOL, "Flatten", AUTO], "model.layers[3] MaxPool2d", "remove the layer."),
        (images(), [{**CONV, "groups": 3}, "Flatten", AUTO], "model.layers[0].groups", "divisible by groups"),
        (images(), ["BatchNorm1d", "Flatten", AUTO], "model.layers[0] BatchNorm1d", "Use BatchNorm2d."),
        (sequences(), [CONV, "Flatten", AUTO], "it needs an image", "use Conv1d."),
        (
            sequences(),
            [{"type": "Conv1d", "out_channels": 4, "kernel_size": 3}, "Flatten", AUTO],
            "Conv1d",
            'Put {type = "Permute"',
        ),
        (sequences(), ["BatchNorm1d", "Flatten", AUTO], "it needs a vector (features) or a signal", "Use LayerNorm."),
        (sequences(), [LSTM, LSTM, AUTO], "model.layers[1] LSTM", 'Set output = "sequence" in model.layers[0].'),
        (sequences(), [{**LSTM, "input_size": 9}, AUTO], "input_size is 9; the data gives 3", "set it to 3."),
        (sequences(), [TURN, LSTM, AUTO], "it needs a sequence", 'Put {type = "Permute"'),
        (sequences(), [{"type": "Embedding", "embedding_dim": 4}, LSTM, AUTO], "it needs tokens", "Remove it"),
        (texts(), [LSTM, AUTO], "model.layers[0] LSTM", "Put an Embedding before it."),
        (
            texts(),
            [{"type": "Embedding", "embedding_dim": 4, "num_embeddings": 9}, LSTM, AUTO],
            "is 9; the data has 50",
            "50 or more.",
        ),
        (vectors(), [LSTM, AUTO], "a vector of 6 features", "use Linear."),
        (vectors(), [CONV, AUTO], "a vector of 6 features", "Use Linear, or remove it."),
        (vectors(), [{"type": "Dropout", "p": 2}, AUTO], "model.layers[0].p", "between 0 and 1"),
        (
            vectors(),
            [{"type": "LayerNorm", "normalized_shape": [5]}, AUTO],
            "normalized_shape is 5",
            "Remove normalized_shape",
        ),
        (vectors(), [{"type": "Dropuot"}, AUTO], "model.layers[0].type", "Did you mean Dropout?"),
        (
            vectors(),
            [{"type": "Linear", "out_featuers": 3}, AUTO],
            "model.layers[0].out_featuers",
            "Did you mean out_features?",
        ),
        (vectors(), [{"type": "Linear", "out_features": [3]}, AUTO], "model.layers[0].out_features", "a whole number"),
        (vectors(), [{"type": "Softmax", "dim": 0}, AUTO], "model.layers[0].dim", "0 is the batch."),
        (images(), [{"type": "Flatten", "start_dim": 0}, AUTO], "model.layers[0].start_dim", "0 is the batch."),
        (
            images(),
            [{"type": "Permute", "dims": [0, 2, 1]}, "Flatten", AUTO],
            "it names 3 dimensions",
            "Name each dimension",
        ),
        (
            images(),
            [{**CONV, "padding": 8, "padding_mode": "reflect"}, "Flatten", AUTO],
            "padding_mode reflect",
            "smaller.",
        ),
        (images(), [{**POOL, "padding": 2}, "Flatten", AUTO], "model.layers[0].padding", "Make it smaller."),
    ],
)
def test_a_wrong_layer_is_the_only_mistake_and_has_the_fix(description, layers, where, fix):
    mistakes = said(description, *layers)
    assert len(mistakes) == 1, mistakes
    assert where in mistakes[0]
    assert fix in mistakes[0]


@pytest.mark.parametrize(
    ("description", "layers", "where", "fix"),
    [
        (
            images(),
            ["Flatten", {**AUTO, "out_features": 5}, "ReLU"],
            "model.layers[1] Linear: out_features is 5",
            "auto",
        ),
        (images(), ["Flatten"], "it gives 64 numbers; the data has 10 classes", "at the end."),
        (images(), [CONV, "ReLU"], "the network ends with an image 16×8×8", "End with Flatten"),
        (
            sequences(),
            [{**LSTM, "output": "sequence"}, AUTO],
            "ends with a sequence 12×2",
            'output = "last" in model.layers[0].',
        ),
    ],
)
def test_a_wrong_number_of_outputs_is_reported_at_the_layer_that_sets_it(description, layers, where, fix):
    (mistake,) = said(description, *layers)
    assert where in mistake and fix in mistake


def test_all_mistakes_are_reported_together():
    layers = [
        {"type": "Conv2d", "out_chanels": 4, "kernel_size": 3},
        "Relu6",
        "Flatten",
        {**AUTO, "in_features": 3, "bias": 1},
    ]
    mistakes = said(images(), *layers)
    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "model.layers[0].out_chanels",
        "model.layers[1].type",
        "model.layers[3].bias Linear",
    ]


def test_after_a_layer_of_unknown_output_there_are_no_further_mistakes():
    results = traced(
        images(), {"type": "Conv2d", "out_channels": 4, "kernel_size": "x"}, "Flatten", {**AUTO, "in_features": 3}
    )
    assert [layer.signal for layer in results] == [None, None, None]
    assert sum(len(layer.mistakes) for layer in results) == 1


def test_dropout_between_layers_that_are_not_there_is_a_warning():
    results = traced(sequences(), {**LSTM, "dropout": 0.3}, AUTO)
    (warning,) = results[0].mistakes
    assert warning.severity == "warning" and "it has no effect" in str(warning)


def test_turning_padded_text_warns_that_padding_is_read():
    embedding = {"type": "Embedding", "embedding_dim": 4}
    conv = {"type": "Conv1d", "out_channels": 4, "kernel_size": 3}
    results = traced(texts(), embedding, TURN, conv, "Flatten", AUTO)
    assert [m.severity for layer in results for m in layer.mistakes] == ["warning"]
    assert [layer.signal.kind for layer in results] == ["sequence", "signal", "signal", "vector", "vector"]


def test_tracing_does_not_move_the_generator_that_weights_are_drawn_from():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    said(texts(), {"type": "Embedding", "embedding_dim": 7, "init": "uniform_"}, {**LSTM, "hidden_size": 11}, AUTO)
    assert torch.equal(torch.rand(3), expected)


def test_labels_distinguish_layers_of_the_same_type():
    layers = [CONV, {**POOL, "stride": 1, "padding": 1}, "Flatten", {"type": "Dropout", "p": 0.25}, AUTO]
    assert [layer.label for layer in traced(images(), *layers)] == [
        "Conv2d 16, 3×3 same",
        "MaxPool2d 2 pad 1 stride 1",
        "Flatten",
        "Dropout 0.25",
        "Linear 10",
    ]
    lstm = {**LSTM, "num_layers": 2, "bidirectional": True, "output": "mean"}
    assert traced(sequences(), lstm, AUTO)[0].label == "LSTM 5, 2 layers, bidirectional, mean"


def test_a_network_of_fifty_layers_is_traced_again_within_a_blink():
    layers = [CONV, "BatchNorm2d", "ReLU", "Dropout2d", {**CONV, "out_channels": 17}] * 10
    traced(images(), *layers)
    took = []
    for slope in (0.1, 0.2, 0.3):  # a new edit each time, so that nothing of it is remembered
        started = time.thread_time()
        traced(images(), *layers[:-3], {"type": "LeakyReLU", "negative_slope": slope}, *layers[-3:])
        took.append(time.thread_time() - started)
    assert min(took) < 0.3  # ten times what it takes; tests/benchmarks/check_speed.py measures
