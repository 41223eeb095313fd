"""Layers that contain layers. engine.model.trace_tree follows a sample through them."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Lt

from engine.catalog.entry import Parameter
from engine.catalog.layers.spec import LAYER_COUNT, LayerSpec
from engine.catalog.value_types import LAYERS

_HIDDEN = frozenset({"args", "layers", "copies", "shortcut", "branches", "dim", "name", "drop_path"})


def _container(name: str, *parameters: Parameter, torch_name: str = "", **fields: Any) -> LayerSpec:
    ours = f"engine.model.containers.{name}"
    names: dict[str, Any] = {"name": name, "torch_name": torch_name or ours, "built_as": ours, "group": "container"}
    return LayerSpec(hidden=_HIDDEN, added=parameters, **names, **fields)


def _layers(name: str, help: str, *, required: bool = True) -> Parameter:
    return Parameter(name=name, annotation=LAYERS, required=required, help=help)


ENTRIES = (
    _container(
        "Residual",
        _layers("layers", "The body, which learns what to add."),
        _layers(
            "shortcut",
            "What the input goes through before it is added. Left out: nothing, or a 1×1 convolution (a Linear for "
            "features) with the body's stride where the body changes the shape.",
            required=False,
        ),
        Parameter(
            name="drop_path",
            annotation=Annotated[float, Ge(0), Lt(1)],
            default=0.0,
            help="Stochastic depth: the probability with which a sample skips the body while training (Huang et al., "
            "2016).",
        ),
        summary="Adds its input to the output of its layers (He et al., 2016).",
        when="To train networks of many layers: gradients reach the first ones along the shortcuts.",
        when_not="In a network of a few layers, where Sequential is as good.",
        formula="y = shortcut(x) + body(x)",
        starts_with={"layers": ["ReLU"]},
    ),
    _container(
        "Repeat",
        Parameter(name="times", annotation=LAYER_COUNT, required=True, help="How many copies."),
        _layers("layers", "The layers of one copy."),
        summary="The same layers several times in a row, each copy with its own weights.",
        when="For the equal blocks of a deep network, written once.",
        when_not="Where the blocks differ in size: write each of them.",
        formula="y = f₃(f₂(f₁(x)))",
        starts_with={"layers": ["ReLU"]},
        keeps_shape=True,
    ),
    _container(
        "Concat",
        _layers("branches", "The branches, each a list of layers; they may differ in channels or features only."),
        summary="Branches that read the same input, joined along the channels or features (Szegedy et al., 2015).",
        when="To look at several scales at the same time, as Inception does; an empty branch [] outputs its input, as "
        "in DenseNet.",
        when_not="Where a sum is enough, which keeps the number of channels: Residual.",
        formula="y = [f(x), g(x), …]",
        starts_with={"branches": [["ReLU"], []]},
    ),
    _container(
        "Sequential",
        _layers("layers", "The layers, in the order of the forward pass."),
        Parameter(name="name", annotation=str, default="", help="The name of the group in the layer table."),
        torch_name="torch.nn.Sequential",
        summary="A group of layers, one after the other, that reads as one.",
        when="To name a part of a network, and inside a branch.",
        when_not="For layers in a row that need no name: the model is such a row already.",
        formula="y = g(f(x))",
        starts_with={"layers": ["ReLU"]},
        keeps_shape=True,
    ),
)
