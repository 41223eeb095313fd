"""A new layer is one entry: catalog, check, form, picker, initializers and training take it from there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.catalog import catalog, find, register, unregister
from engine.catalog.layers.spec import BEFORE, LayerSpec, shows
from engine.editing.choices import new_choice
from engine.editing.form import form
from engine.editing.insertable import insertion_problems
from engine.editing.text import Span
from engine.experiment import dumps, read, reads
from engine.experiment.mistakes import Mistake, put
from engine.model import build
from engine.plan import check
from engine.protocol.events import Epoch, Finished, Reason
from engine.training.session import Session


class Maxout(nn.Module):
    """The largest of several linear functions of a vector (Goodfellow et al., 2013).

    Args:
        in_features: features of the input
        out_features: features of the output
        pieces: number of linear functions
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        self.out_features = out_features
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """From (N, in_features) to (N, out_features)."""
        return self.linear(x).view(len(x), self.out_features, -1).amax(2)


def one_piece(given, before):
    if given.get("pieces", 2) > 1:
        return None
    found, fix = f"pieces is {given['pieces']}", "Set pieces = 2."
    return Mistake(".pieces", found, "with fewer than 2 it is a Linear", fix, remedy=put(2))


MAXOUT = LayerSpec(
    name="Maxout",
    torch_name=f"{__name__}.Maxout",
    group="linear",
    summary="Outputs the largest of several linear functions.",
    when="Where the shape of the activation should be learned.",
    when_not="Where weights are few: Linear and ReLU.",
    formula="y[i] = max over k of w[i, k]·x + b[i, k]",
    inferred={"in_features": BEFORE},
    accepts=("vector",),
    size_parameter="in_features",
    output_shape=lambda module, shape: (module.out_features,),
    flops=lambda module, before, after: 2 * module.linear.weight.numel(),
    initializers=frozenset({"init", "bias_init"}),
    check_arguments=one_piece,
    label_words=shows("out_features"),
)
NEAREST = LayerSpec(
    name="UpsamplingNearest2d",
    torch_name="torch.nn.UpsamplingNearest2d",
    group="shape",
    summary="Enlarges an image by repeating pixels.",
    when="In decoders.",
    accepts=("image",),
    types={"scale_factor": int},
    hidden=frozenset({"size"}),
)
"""A layer of torch without formulas: its output is what a run on the `meta` device gives."""

REST = "'Flatten', {type='Maxout', out_features=12, pieces=3}, {type='Linear', out_features='auto'}]"
LAYERS = f"model.layers=[{REST}"
ENLARGED = f"model.layers=[{{type='UpsamplingNearest2d', scale_factor=2}}, {REST}"


@pytest.fixture(autouse=True)
def registered():
    for each in (MAXOUT, NEAREST):
        register(each)
    yield
    for each in (MAXOUT, NEAREST):
        unregister(each)


def test_a_layer_is_in_the_catalog_with_the_parameters_of_its_signature():
    parameters = find("layers", "Maxout").parameters
    assert [(p.name, p.required, p.default) for p in parameters.values()] == [
        ("in_features", False, None),
        ("out_features", True, None),
        ("pieces", False, 2),
    ]
    assert parameters["pieces"].help == "Number of linear functions."
    assert catalog("layers")["Maxout"].as_dict()["group"] == "linear"


def test_the_layer_table_shows_its_shape_parameters_and_flops():
    plan = check(read("digits-cnn", [ENLARGED]))
    assert plan.ok and not plan.mistakes
    enlarged, flat, maxout, linear = plan.layers
    assert (enlarged.output_shape, enlarged.parameters, enlarged.flops) == ((1, 16, 16), 0, 0)
    assert flat.output_shape == (256,)
    module = Maxout(256, 12, 3)
    with FlopCounterMode(display=False) as counter:
        output = module(torch.rand(1, 256))
    assert (maxout.label, maxout.output_shape) == ("Maxout 12", tuple(output.shape[1:]))
    assert maxout.parameters == sum(p.numel() for p in module.parameters())
    assert maxout.flops == counter.get_total_flops()
    assert linear.output_shape == (10,)


@pytest.mark.parametrize(
    ("layers", "path", "found", "fix"),
    [
        ("[{type='Maxout', out_features=4}]", "model.layers[0]", "it needs a vector (features)", "Remove it."),
        (
            "['Flatten', {type='Maxout', out_features=4, in_features=9}]",
            "model.layers[1]",
            "in_features is 9",
            "Remove in_features (it is inferred), or set it to 64.",
        ),
        (
            "['Flatten', {type='Maxout', out_features=4, pieces=1}]",
            "model.layers[1].pieces",
            "pieces is 1",
            "Set pieces = 2.",
        ),
        ("['Flatten', 'Maxout']", "model.layers[1]", "out_features is missing", None),
        ("['Flatten', {type='UpsamplingNearest2d', scale_factor=2}]", "model.layers[1]", "it needs an image", None),
    ],
)
def test_a_layer_that_is_used_wrongly_is_reported_with_the_fix(layers, path, found, fix):
    mistake = next(iter(check(read("digits-cnn", [f"model.layers={layers}"])).mistakes))
    assert mistake.path == path and mistake.subject in ("Maxout", "UpsamplingNearest2d")
    assert mistake.found.startswith(found)
    assert fix is None or mistake.fix == fix


def test_a_layer_is_offered_where_it_fits_and_has_a_form():
    assert new_choice("layers", "Maxout") == {"type": "Maxout", "out_features": 64}
    draft = reads(dumps(read("digits-cnn", [LAYERS]).experiment))
    assert insertion_problems(draft.experiment, Span("model.layers", 1, 1))["Maxout"] == ""
    assert "it needs a vector" in insertion_problems(draft.experiment, Span("model.layers", 0, 0))["Maxout"]
    fields = {field.name: field for field in form("model.layers[1]", draft, check(draft).experiment)}
    assert {"in_features", "out_features", "pieces", "init", "bias_init"} <= set(fields)
    assert not {"recurrent_init", "forget_bias"} & set(fields)


def test_a_layer_is_initialized_as_the_document_says():
    plan = check(read("digits-cnn", [LAYERS, "model.init=ones_", "model.bias_init={type='constant_', val=3.0}"]))
    assert plan.ok and plan.description is not None
    maxout = build(plan.experiment, plan.description)[1]
    assert (maxout.linear.weight == 1).all() and (maxout.linear.bias == 3).all()


def test_a_layer_trains(tmp_path):
    changes = [LAYERS, "training.epochs=3", "training.threads=1", "training.early_stopping=false"]
    session = Session.create(check(read("digits-cnn", changes)), runs_dir=tmp_path)
    session.start()
    assert session.join(60)
    events = session.drain()
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert isinstance(events[-1], Finished) and events[-1].reason is Reason.COMPLETED
    assert epochs[-1].train_loss < epochs[0].train_loss
