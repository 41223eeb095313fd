"""The layer where values stopped being finite: found by the same batch once more, with an eye on every layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from engine.model.containers import CONTAINERS
from engine.model.selection import modules_at
from engine.plan import LayerPlan
from engine.training.batches import Batch
from engine.training.finite import all_finite
from engine.training.loop import Loop


def where_it_began(loop: Loop, layers: Sequence[LayerPlan], window: Sequence[Batch]) -> str:
    """Where the first value that is not finite stands, as a clause; empty where it does not show a second time.

    Looked at in the order of a step: the batch, the weights, the outputs, the loss, the gradients. Leaves gradients
    behind, and uses random numbers: the run ends here, or goes back to a checkpoint.
    """
    leaves = [layer for layer in layers if layer.type not in CONTAINERS]
    for batch in window:
        if not all_finite([*batch.inputs, batch.target]):
            return "the batch itself holds a value that is not finite, so look at the data"
    for layer in leaves:
        if not all_finite([p for module in modules_at(loop.network, layer.path) for p in module.parameters()]):
            return f"a weight of {layer.path} {layer.type} is not finite"
    for batch in window:
        if clause := _in_step(loop, leaves, batch):
            return clause
    return ""


def _in_step(loop: Loop, leaves: Sequence[LayerPlan], batch: Batch) -> str:
    seen: list[tuple[LayerPlan, list[Tensor]]] = []
    handles = []

    def watch(layer: LayerPlan, module: nn.Module) -> None:
        def look(_module: nn.Module, _inputs: Any, output: Any) -> None:
            outputs = list(_tensors(output))
            for tensor in outputs:
                if tensor.requires_grad:
                    tensor.retain_grad()
            seen.append((layer, outputs))

        handles.append(module.register_forward_hook(look))

    for layer in leaves:
        for module in modules_at(loop.network, layer.path):
            watch(layer, module)
    try:
        with loop.precision.autocast():
            output = loop.network(*batch.inputs)
            loss = batch.loss(loop.criterion, output)
        for layer, outputs in seen:
            if not all_finite(outputs):
                return f"the output of {layer.path} {layer.type} is the first that is not finite"
        if not all_finite([loss]):
            return "the network's output is finite, its loss is not"
        loop.optimizer.zero_grad()
        loop.regularizer.objective(loss).backward()
        after = "the loss"
        for layer, outputs in reversed(seen):
            if not all_finite([t.grad for t in outputs if t.grad is not None]):
                return f"the loss is finite; on the way back the gradient behind {after} is not"
            after = f"{layer.path} {layer.type}"
        for layer in reversed(leaves):
            parameters = [p for module in modules_at(loop.network, layer.path) for p in module.parameters()]
            if not all_finite([p.grad for p in parameters if p.grad is not None]):
                return f"the loss is finite, the gradient of {layer.path} {layer.type} is not"
        return ""
    finally:
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
