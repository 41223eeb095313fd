"""Reorder the dimensions of a batch."""

from __future__ import annotations

from torch import Tensor, nn


class Permute(nn.Module):
    """The input with its dimensions in another order; `dims[0]` is 0, the batch.

    As torchvision.ops.Permute, whose import would cost a second.

    Args:
        dims: The dimensions in their new order, 0 first: dimension 0 is the batch.
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        if sorted(dims) != list(range(len(dims))) or dims[:1] != (0,):
            raise ValueError("dims must hold 0, 1, 2, … once each, 0 first, since dimension 0 is the batch")
        self.dims = tuple(dims)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"
