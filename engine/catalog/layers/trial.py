"""Run a module of many layers on the `meta` device, without memory, to measure what it outputs and costs.

Shapes are of one sample, without N.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm

from engine.catalog.layers.signal import BY_DIMENSIONS, Shape
from engine.catalog.layers.spec import Figures

_SAMPLES = 2
"""In a batch: BatchNorm refuses a batch of one sample where each channel has a single value."""


def tried(module: nn.Module, shape: Shape, *, gradient: bool) -> Figures:
    """Run a module with weights on `meta` on samples of that shape.

    FLOPs are those of torch.utils.flop_counter.FlopCounterMode. Of a module without weights to train, the saved bytes
    are the most that is in memory at the same time.

    Args:
        gradient: whether layers before it have weights to train.

    Raises:
        RuntimeError, ValueError, AssertionError, IndexError: the module refuses samples of that shape.
    """
    # An import of half a second, which only modules of many layers are worth.
    from torch.utils.flop_counter import FlopCounterMode

    watch = _Watch(module)
    x = torch.empty(_SAMPLES, *shape, device="meta", requires_grad=gradient)
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(watch.save, lambda saved: saved):
        output = module(x)
    watch.close()
    after = tuple(output.shape[1:])
    return Figures(
        shape=after,
        kind=BY_DIMENSIONS[len(after)],
        flops=counter.get_total_flops() // _SAMPLES,
        saved_bytes=(watch.saved_bytes or watch.most_bytes) // _SAMPLES,
        needs_two=watch.needs_two,
    )


class _Watch:
    """Records what the layers of a module output, and what autograd saves of it."""

    def __init__(self, module: nn.Module) -> None:
        self.most_bytes = 0
        self.needs_two = False
        self._own = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        self._saved: dict[int, torch.UntypedStorage] = {}
        layers = [layer for layer in module.modules() if next(layer.children(), None) is None]
        self._hooks = [layer.register_forward_hook(self._seen) for layer in layers]

    def save(self, tensor: Tensor) -> Tensor:
        """A tensor that autograd saves; several may share one storage."""
        if id(tensor) not in self._own:
            storage = tensor.untyped_storage()
            self._saved[storage._cdata] = storage
        return tensor

    @property
    def saved_bytes(self) -> int:
        """Memory that autograd saves, without weights."""
        return sum(storage.nbytes() for storage in self._saved.values())

    def close(self) -> None:
        """Remove the hooks."""
        for hook in self._hooks:
            hook.remove()

    def _seen(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        self.most_bytes = max(self.most_bytes, sum(t.nbytes for t in tensors))
        if isinstance(layer, _BatchNorm) and layer.training and prod(output.shape[2:]) == 1:
            self.needs_two = True
