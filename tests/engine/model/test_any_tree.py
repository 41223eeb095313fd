"""Layers in layers in layers: what the plan says of them is what torch makes of them, run for real.

The network is run a second time by hand, from torch's own modules and a few lines that say what a container does.
Letters: N batch, C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from networks import AUTO, experiment, images, sequences, traced
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.model import build

EXAMPLES = 500 if os.environ.get("TORCHDECK_THOROUGH") else 30

PAIRS = {"type": "GroupNorm", "num_groups": 2}

JOINED_ALONG = {4: 1, 3: 2, 2: 1}
"""Channels of images (N, C, H, W), features of sequences (N, T, F) and of vectors (N, F)."""


class Refusal(Exception):
    """The layers cannot be run."""


class ByHand:
    """Runs a document's layers one by one, and keeps the modules that it made on the way."""

    def __init__(self) -> None:
        self.modules = nn.ModuleList()

    def chain(self, layers: Sequence[Any], x: Tensor) -> Tensor:
        for layer in layers:
            given = {"type": layer} if isinstance(layer, str) else layer
            parameters = {name: value for name, value in given.items() if name != "type"}
            x = self.layer(given["type"], x, **parameters)
        return x

    def layer(self, type: str, x: Tensor, **given: Any) -> Tensor:
        if type == "Sequential":
            return self.chain(given["layers"], x)
        if type == "Repeat":
            for _ in range(given["times"]):
                x = self.chain(given["layers"], x)
            return x
        if type == "Concat":
            outputs = [self.chain(branch, x) for branch in given["branches"]]
            return torch.cat(outputs, JOINED_ALONG[outputs[0].ndim])
        if type == "Residual":
            body = self.chain(given["layers"], x)
            short = self.chain(given["shortcut"], x) if "shortcut" in given else self.projected(x, body)
            if short.shape != body.shape:
                raise Refusal
            return short + body
        return self.leaf(type, x, **given)

    def leaf(self, type: str, x: Tensor, **given: Any) -> Tensor:
        if type == "Conv2d":
            return self.made(nn.Conv2d(x.shape[1], **given), x)
        if type in ("BatchNorm2d", "GroupNorm"):
            made = (
                nn.BatchNorm2d(x.shape[1]) if type == "BatchNorm2d" else nn.GroupNorm(given["num_groups"], x.shape[1])
            )
            return self.made(made, x)
        if type in ("LSTM", "GRU"):
            if x.ndim != 3:
                raise Refusal
            output = given.pop("output", "last")
            steps = self.made(getattr(nn, type)(x.shape[2], batch_first=True, **given), x)
            return steps if output == "sequence" else steps[:, -1] if output == "last" else steps.mean(1)
        if type in ("LayerNorm", "Linear"):
            size = x.shape[-1]
            return self.made(nn.LayerNorm(size) if type == "LayerNorm" else nn.Linear(size, **given), x)
        return self.made(getattr(nn, type)(**given), x)

    def made(self, module: nn.Module, x: Tensor) -> Any:
        self.modules.append(module.eval())
        y = module(x)
        return y[0] if isinstance(y, tuple) else y

    def projected(self, x: Tensor, body: Tensor) -> Tensor:
        """What a shortcut of one layer makes of x, if there is one that gives the shape of the body's output."""
        if x.shape == body.shape or x.ndim != body.ndim:
            return x
        if x.ndim < 4:
            return self.made(nn.Linear(x.shape[-1], body.shape[-1]), x)
        for stride in ((h, w) for h in range(1, x.shape[2] + 1) for w in range(1, x.shape[3] + 1)):
            convolution = nn.Conv2d(x.shape[1], body.shape[1], 1, stride)
            if convolution(x).shape == body.shape:
                return self.made(convolution, x)
        return x


def image_layers() -> st.SearchStrategy[Any]:
    # Mostly of a kind that fits, whatever stands around it; windows too large and odd groups among them.
    same = {"kernel_size": st.sampled_from([1, 3]), "padding": st.just("same")}
    window = {"kernel_size": st.integers(1, 4), "padding": st.integers(0, 1), "stride": st.integers(1, 3)}
    channels = {"type": st.just("Conv2d"), "out_channels": st.integers(1, 3)}
    pool = {"type": st.just("MaxPool2d"), "kernel_size": st.integers(1, 3), "stride": st.integers(1, 2)}
    return st.one_of(
        st.fixed_dictionaries({**channels, **same}),
        st.fixed_dictionaries({**channels, **same}),
        st.fixed_dictionaries({**channels, **window}),
        st.fixed_dictionaries(pool),
        st.just(PAIRS),
        st.sampled_from(["BatchNorm2d", "ReLU", "Tanh", "Dropout2d"]),
    )


def sequence_layers() -> st.SearchStrategy[Any]:
    output = st.sampled_from(["sequence", "sequence", "sequence", "last", "mean"])
    recurrent = {"type": st.sampled_from(["LSTM", "GRU"]), "hidden_size": st.integers(1, 3), "output": output}
    return st.one_of(
        st.fixed_dictionaries({**recurrent, "bidirectional": st.just(False)}),
        st.fixed_dictionaries({"type": st.just("Linear"), "out_features": st.integers(1, 3)}),
        st.sampled_from(["LayerNorm", "Tanh", "Dropout"]),
    )


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some, few = st.lists(inner, min_size=1, max_size=3), st.lists(inner, max_size=2)
        residual = {"type": st.just("Residual"), "layers": some}
        return st.one_of(
            st.fixed_dictionaries(residual),
            st.fixed_dictionaries({**residual, "shortcut": few}),
            st.fixed_dictionaries({"type": st.just("Repeat"), "times": st.integers(1, 3), "layers": some}),
            st.fixed_dictionaries({"type": st.just("Concat"), "branches": st.lists(few, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"type": st.just("Sequential"), "layers": some}),
        )

    return st.lists(st.recursive(leaves, containers, max_leaves=8), min_size=1, max_size=4)


def modules_of(planned: Any, module: nn.Module) -> Iterator[tuple[Any, nn.Module]]:
    """Each layer of the plan with its module; of a Repeat the first copy, which is what the plan shows."""
    yield planned, module
    held: list[nn.Module] = []
    if planned.inside:
        branches = getattr(module, "branches", None)
        held = [m for branch in branches for m in branch] if branches is not None else list(module.layers)
        held = [m[0] for m in held] if type(module).__name__ == "Repeat" else held
        held += list(getattr(module, "shortcut", ()))
    for inside, inner in zip(planned.inside, held, strict=False):  # a shortcut that was made is no layer of the plan
        yield from modules_of(inside, inner)


def everything(planned: Any) -> Iterator[Any]:
    for layer in planned:
        yield layer
        yield from everything(layer.inside)


@given(
    st.one_of(
        trees(image_layers()).map(lambda t: (images(2, 6, 5), t)),
        trees(sequence_layers()).map(lambda t: (sequences(5, 3), t)),
    )
)
@example((images(2, 6, 5), [{"type": "Conv2d", "out_channels": 2, "kernel_size": (6, 5)}, PAIRS]))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_tree_of_layers_is_what_the_plan_says_or_is_refused_by_both(network):
    description, tree = network
    layers = [*tree, "Flatten", AUTO]
    planned = traced(description, *layers)
    wrong = [str(m) for layer in everything(planned) for m in layer.mistakes if m.severity == "error"]
    x = torch.rand(2, *description.input_shape)
    by_hand = ByHand()
    with torch.no_grad():
        try:
            expected = by_hand.chain([*tree, "Flatten", {**AUTO, "out_features": description.outputs}], x)
        except (Refusal, RuntimeError, ValueError, IndexError):
            event("refused")
            assert wrong
            return
    assert wrong == []
    event("run")

    built = build(experiment(*layers), description).eval()
    count = sum(p.numel() for p in built.parameters())
    assert sum(layer.parameters for layer in planned) == count == sum(p.numel() for p in by_hand.modules.parameters())
    assert sum(value.numel() for name, value in built.named_parameters(remove_duplicate=False)) == count

    shapes: dict[nn.Module, tuple[int, ...]] = {}
    pairs = [pair for layer, module in zip(planned, built, strict=True) for pair in modules_of(layer, module)]
    for _, module in pairs:
        module.register_forward_hook(lambda m, _, y: shapes.update({m: tuple(y.shape[1:])}))
    with torch.no_grad():
        assert built(x).shape == expected.shape
    for layer, module in pairs:
        assert layer.signal.shape == shapes[module], layer.path
    for layer, module in pairs:
        if type(module).__name__ != "Repeat":
            assert layer.parameters == sum(p.numel() for p in module.parameters()), layer.path

    # On `meta` torch's counter sees the products inside of recurrent layers, too. Of both samples: torch refuses a
    # GroupNorm of groups of one value in a batch of one sample, when it evaluates as well.
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(built).to("meta")(x.to("meta"))
    assert len(x) * sum(layer.flops for layer in planned) == counter.get_total_flops()
