"""Run a module of many layers without memory, on the `meta` device: what it gives, and what that costs.

N batch, C channels, H height, W width; shapes are of one sample, without N.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm

Shape = tuple[int, ...]

_SAMPLES = 2
"""In a batch: of one alone BatchNorm has no spread, where a single value a channel is left."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a run of one sample has shown."""

    shape: Shape
    flops: int
    """Two for each multiply-and-add, as torch.utils.flop_counter.FlopCounterMode counts."""
    kept_bytes: int
    """What the backward pass needs kept; of a module that keeps nothing, the most that stands there at once."""
    needs_two: bool
    """Whether a BatchNorm sees a single value a channel of each sample, so that training fails on a batch of one."""


def tried(module: nn.Module, shape: Shape, *, gradient: bool) -> Trial:
    """The trial of a module whose weights are on `meta`.

    Args:
        gradient: whether what comes in has weights before it that learn.

    Raises:
        RuntimeError, ValueError, AssertionError, IndexError: samples of that shape do not go through.
    """
    # An import of half a second, which only modules of many layers are worth.
    from torch.utils.flop_counter import FlopCounterMode

    watch = _Watch(module)
    x = torch.empty(_SAMPLES, *shape, device="meta", requires_grad=gradient)
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(watch.keep, lambda kept: kept):
        output = module(x)
    watch.done()
    return Trial(
        shape=tuple(output.shape[1:]),
        flops=counter.get_total_flops() // _SAMPLES,
        kept_bytes=(watch.kept_bytes or watch.most_bytes) // _SAMPLES,
        needs_two=watch.needs_two,
    )


class _Watch:
    """Sees what the layers of a module give, and what autograd keeps of it."""

    def __init__(self, module: nn.Module) -> None:
        self.most_bytes = 0
        self.needs_two = False
        self._own = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        self._kept: dict[int, torch.UntypedStorage] = {}
        layers = [layer for layer in module.modules() if next(layer.children(), None) is None]
        self._hooks = [layer.register_forward_hook(self._seen) for layer in layers]

    def keep(self, tensor: Tensor) -> Tensor:
        """A tensor that autograd keeps; several may share one memory."""
        if id(tensor) not in self._own:
            storage = tensor.untyped_storage()
            self._kept[storage._cdata] = storage
        return tensor

    @property
    def kept_bytes(self) -> int:
        """Memory that autograd keeps, weights left out."""
        return sum(storage.nbytes() for storage in self._kept.values())

    def done(self) -> None:
        """Look no more."""
        for hook in self._hooks:
            hook.remove()

    def _seen(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        self.most_bytes = max(self.most_bytes, sum(t.nbytes for t in tensors))
        if isinstance(layer, _BatchNorm) and layer.training and prod(output.shape[2:]) == 1:
            self.needs_two = True
