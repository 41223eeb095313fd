"""Layers that hold layers."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Lt

from engine.catalog.entry import Entry, Parameter
from engine.catalog.layer_entry import COPIES, layer
from engine.catalog.value_types import LAYERS


def _container(name: str, summary: str, when: str, *parameters: Parameter, **more: Any) -> Entry:
    hidden = frozenset({"args", "layers", "copies", "shortcut", "branches", "dim", "name", "drop_path"})
    torch_name = more.pop("torch_name", f"engine.model.containers.{name}")
    return layer(name, summary, when, torch_name=torch_name, hidden=hidden, added=parameters, **more)


def _held(name: str, help: str, *, required: bool = True) -> Parameter:
    return Parameter(name=name, annotation=LAYERS, required=required, help=help)


ENTRIES = (
    _container(
        "Residual",
        "Adds what comes in to what its layers make of it (He et al., 2016).",
        "To train networks of many layers: gradients reach the first ones along the shortcuts.",
        _held("layers", "The body, which learns what to add."),
        _held(
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
        formula="y = shortcut(x) + body(x)",
        when_not="In a network of a few layers, where Sequential does as well.",
    ),
    _container(
        "Repeat",
        "The same layers several times in a row, each time with weights of their own.",
        "For the equal blocks of a deep network, written once.",
        Parameter(name="times", annotation=COPIES, required=True, help="How many copies."),
        _held("layers", "The layers of one copy."),
        formula="y = f₃(f₂(f₁(x)))",
        when_not="Where the blocks differ in size: write each of them.",
    ),
    _container(
        "Concat",
        "Branches that read the same input, joined along the channels or features (Szegedy et al., 2015).",
        "To look at several scales at once, as Inception does; an empty branch [] hands the input on, as in DenseNet.",
        _held("branches", "The branches, each a list of layers; they may differ in channels or features only."),
        formula="y = [f(x), g(x), …]",
        when_not="Where a sum will do, which keeps the number of channels: Residual.",
    ),
    _container(
        "Sequential",
        "A group of layers, one after the other, that reads as one.",
        "To give a part of a network a name, and inside a branch.",
        _held("layers", "The layers, in the order of the forward pass."),
        Parameter(name="name", annotation=str, default="", help="What the group is called in the layer table."),
        torch_name="torch.nn.Sequential",
        formula="y = g(f(x))",
        when_not="For layers in a row that need no name: the model is such a row already.",
    ),
)
