"""A batch in pieces, whose gradients add up to its own: what does not fit into memory at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.training.batches import Batch


def pieces(window: Sequence[Batch], parts: int) -> list[Batch]:
    """Each batch of a window in `parts` pieces of as equal a size as can be; with fewer samples than that, one each."""
    return list(window) if parts == 1 else [piece for batch in window for piece in _split(batch, parts)]


def mixes_samples(network: nn.Module) -> bool:
    """Whether what the network makes of a sample depends on the others of its batch, so that pieces are no batch."""
    return any(isinstance(module, _BatchNorm) and module.training for module in network.modules())


def _split(batch: Batch, parts: int) -> list[Batch]:
    size = -(-batch.size // min(parts, batch.size))
    found = []
    for begin in range(0, batch.size, size):
        end = min(begin + size, batch.size)
        cut = {
            field.name: value[begin:end]
            for field in fields(batch)
            if isinstance(value := getattr(batch, field.name), Tensor)
        }
        inputs = tuple(tensor[begin:end] for tensor in batch.inputs)
        found.append(replace(batch, inputs=inputs, size=end - begin, **cut))
    return found
