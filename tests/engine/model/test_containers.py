"""Layers that hold layers: what the plan says of them is what torch does, and each does what its paper says."""

from __future__ import annotations

import pytest
import torch
from networks import AUTO, CONV, experiment, images, said, sequences, texts, traced, vectors
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.experiment import dumps, read, reads
from engine.experiment.draft import from_document
from engine.experiment.tree import walk
from engine.model import build
from engine.model.containers import Residual
from engine.model.trace_tree import everything
from engine.plan import check

BODY = [CONV, "BatchNorm2d", "ReLU", CONV, "BatchNorm2d"]
HALVED = {"type": "Conv2d", "out_channels": 32, "kernel_size": 3, "padding": 1, "stride": 2}
END = [{"type": "AdaptiveAvgPool2d", "output_size": 1}, "Flatten", AUTO]


def numbers(description, *layers):
    """What the plan says of a network, held against the network itself: its output, parameters and FLOPs."""
    results = traced(description, *layers)
    assert not [m for t in everything(results) for m in t.mistakes]
    network = build(experiment(*layers), description).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = network(torch.rand(1, *description.input_shape))
    assert output.shape[1:] == results[-1].signal.shape
    assert sum(t.parameters for t in results) == sum(p.numel() for p in network.parameters())
    assert sum(t.flops for t in results) == counter.get_total_flops()
    return results, network


def test_a_residual_adds_its_input_to_the_output_of_its_layers():
    _, network = numbers(images(16), {"type": "Residual", "layers": BODY}, *END)
    residual = network[0]
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(residual(x), x + residual.layers(x))


def test_a_residual_that_changes_the_shape_is_given_a_projection_and_says_so():
    results, network = numbers(images(16), {"type": "Residual", "layers": [HALVED, "ReLU"]}, *END)
    assert results[0].label == "Residual, shortcut Conv2d 32, 1×1 stride 2"
    (made,) = network[0].shortcut
    assert (made.in_channels, made.out_channels, made.kernel_size, made.stride) == (16, 32, (1, 1), (2, 2))


@pytest.mark.parametrize("description", [vectors(6, 2), sequences()], ids=["vector", "sequence"])
def test_features_are_projected_by_a_linear(description):
    layers = [{"type": "Residual", "layers": [{"type": "Linear", "out_features": 5}]}, "Flatten", AUTO]
    _, network = numbers(description, *layers)
    assert isinstance(network[0].shortcut[0], nn.Linear)


def test_a_residual_that_no_projection_helps_says_what_to_do():
    (sentence,) = said(images(), {"type": "Residual", "layers": [{**CONV, "padding": 0, "kernel_size": 4}]}, *END)
    assert sentence == (
        "model.layers[0] Residual: its body gives an image 16×5×5 (channels, height, width); its input is an image "
        '1×8×8 (channels, height, width), which cannot be added. Keep the size in the body (padding = "same"), '
        "or add a shortcut that outputs the same shape."
    )


def test_stochastic_depth_leaves_bodies_out_in_training_only_and_keeps_the_mean():
    torch.manual_seed(0)
    residual = Residual([nn.Identity()], drop_path=0.25)
    x = torch.ones(20_000, 1)
    bodies = residual(x) - x
    assert bodies.unique().tolist() == pytest.approx([0, 4 / 3])
    assert bodies.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(residual.eval()(x), 2 * x)


def test_each_copy_of_a_repeat_has_its_own_weights():
    results, network = numbers(images(16), {"type": "Repeat", "times": 3, "layers": [CONV, "ReLU"]}, *END)
    once = traced(images(16), CONV)[0]
    assert results[0].parameters == 3 * once.parameters and results[0].flops == 3 * once.flops
    first, second, _ = network[0].layers[0]
    assert not torch.equal(first.weight, second.weight)
    assert [name for name, _ in network[0].named_parameters()][:2] == ["layers.0.0.weight", "layers.0.0.bias"]


def test_a_repeat_counts_copies_that_change_the_shape():
    results, _ = numbers(images(1, 16, 16), {"type": "Repeat", "times": 3, "layers": [HALVED, "ReLU"]}, *END)
    assert results[0].signal.shape == (32, 2, 2)


def test_a_repeat_names_the_copy_in_which_something_no_longer_fits():
    shrinking = [{"type": "MaxPool2d", "kernel_size": 2}]
    (sentence,) = said(images(), {"type": "Repeat", "times": 4, "layers": shrinking}, "Flatten", AUTO)
    assert sentence.startswith("model.layers[0].layers[0] MaxPool2d: in copy 4, kernel_size is 2×2")


def test_a_concat_joins_channels_and_an_empty_branch_outputs_its_input():
    branches = [[], [{**CONV, "out_channels": 3}], [{"type": "MaxPool2d", "kernel_size": 3, "stride": 1, "padding": 1}]]
    results, network = numbers(images(2), {"type": "Concat", "branches": branches}, *END)
    assert results[0].signal.shape == (2 + 3 + 2, 8, 8)
    x = torch.rand(2, 2, 8, 8)
    assert torch.equal(network[0](x)[:, :2], x)


def test_branches_of_other_sizes_cannot_be_joined():
    branches = [[CONV], [HALVED]]
    (sentence,) = said(images(), {"type": "Concat", "branches": branches}, *END)
    assert "its branches give 16×8×8 and 32×4×4; only their channels or features may differ" in sentence


def test_sequences_are_joined_along_their_features_and_lengths_reach_every_branch():
    branches = [[{"type": kind, "hidden_size": 4, "output": "last"}] for kind in ("LSTM", "GRU")]
    layers = [{"type": "Embedding", "embedding_dim": 3}, {"type": "Concat", "branches": branches}, AUTO]
    description = texts(9)
    assert traced(description, *layers)[1].signal.shape == (8,)
    network = build(experiment(*layers), description).eval()
    x = torch.randint(1, 50, (2, 9))
    alone = network(x[:1, :4], torch.tensor([4]))
    torch.testing.assert_close(network(x, torch.tensor([4, 9]))[:1], alone)


def test_a_group_is_named_in_the_table_and_inner_layers_have_paths_of_their_own():
    stem = {"type": "Sequential", "name": "stem", "layers": [CONV, "ReLU"]}
    plan = check(experiment({"type": "Residual", "layers": [stem]}, *END))
    assert [(layer.number, layer.depth, layer.path) for layer in plan.layers[:4]] == [
        ("0", 0, "model.layers[0]"),
        ("0.0", 1, "model.layers[0].layers[0]"),
        ("0.0.0", 2, "model.layers[0].layers[0].layers[0]"),
        ("0.0.1", 2, "model.layers[0].layers[0].layers[1]"),
    ]
    assert plan.layers[1].label == "Sequential stem"
    outermost = [layer for layer in plan.layers if layer.depth == 0]
    assert plan.parameters == sum(layer.parameters for layer in outermost)


def test_a_nested_layer_can_be_set_and_a_document_with_nesting_reads_back_as_it_was():
    draft = reads(NESTED, ["model.layers[0].layers[0].out_channels=24", "model.layers[1].branches[1][0].kernel_size=1"])
    plan = check(draft)
    assert plan.ok, plan.mistakes
    assert plan.experiment.model.layers[0].layers[0].parameters["out_channels"] == 24
    assert check(reads(dumps(plan.experiment))) == plan


NESTED = """
[data]
source = "digits"
[model]
layers = [
  {type = "Residual", layers = [{type = "Conv2d", out_channels = 8, kernel_size = 3, padding = "same"}, "ReLU"]},
  {type = "Concat", branches = [[], [{type = "Conv2d", out_channels = 4, kernel_size = 3, padding = "same"}]]},
  "Flatten", {type = "Linear", out_features = "auto"},
]
"""


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "model.layers[0].layers[0].in_channels=7",
            "model.layers[0].layers[0] Conv2d: in_channels is 7; the data gives 1. Remove in_channels (it is "
            "inferred), or set it to 1.",
        ),
        ("model.layers[0].layers[1]=3", "model.layers[0].layers[1]: found 3; expected a table."),
        ("model.layers[0].times=2", "model.layers[0].times: 'times' is not a parameter of Residual"),
        ("model.layers[1].branches=[]", "model.layers[1].branches Concat: there is no branch; expected at least one."),
        ("model.layers[2]={type='Repeat', times=2}", "model.layers[2] Repeat: layers is missing"),
        (
            "model.layers[2].layers=['ReLU']",
            "model.layers[2].layers Flatten: Flatten cannot contain layers. Remove it.",
        ),
        ("model.layers[0].drop_path=1.5", "model.layers[0].drop_path Residual: found 1.5; expected a share"),
    ],
)
def test_a_mistake_in_a_nested_layer_stands_at_its_path(override, sentence):
    assert any(str(m).startswith(sentence) for m in check(reads(NESTED, [override])).mistakes)


def test_a_mistake_is_shown_at_the_innermost_layer_alone():
    plan = check(reads(NESTED, ["model.layers[0].layers[0].in_channels=7"]))
    assert [layer.number for layer in plan.layers if layer.mistake is not None] == ["0.0"]


def test_nesting_without_end_is_refused_in_a_sentence():
    layer = {"type": "ReLU"}
    for _ in range(20):
        layer = {"type": "Sequential", "layers": [layer]}
    plan = check(from_document({"data": {"source": "digits"}, "model": {"layers": [layer, "Flatten", AUTO]}}))
    assert [m for m in plan.mistakes if "nested 16 layers deep" in m.found]


def test_the_last_layer_is_found_in_groups_but_not_in_residuals():
    end = {"type": "Sequential", "layers": [AUTO, "Softmax"]}
    (warning,) = check(experiment("Flatten", end)).mistakes
    assert warning.path == "model.layers[1].layers[1]" and "CrossEntropyLoss applies Softmax itself" in warning.found


def test_every_preset_s_layers_are_walked_in_the_order_of_its_plan():
    plan = check(read("digits-cnn"))
    assert [place.path for place in walk(plan.experiment.model.layers)] == [layer.path for layer in plan.layers]
