"""The forms that samples are kept in, each in the least memory: rows, windows of a series, texts of any length.

A plain Tensor is one of them: N rows of one shape. The others behave as it does where it matters: `len`, `shape`,
`dtype`, `nbytes`, `to(device)`, `samples[indices]`. N samples, T time, F features, L values of a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Samples(Protocol):
    """N samples. `shape` is theirs together, N first; indexed by a number or by a tensor of numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Tensor: ...

    def to(self, device: str, /) -> Any: ...


def take(samples: Samples, indices: Tensor) -> Tensor:
    """The samples of these indices (M,), which lie on the same device. A new tensor (M, …) of the stored type."""
    return samples.index_select(0, indices) if isinstance(samples, Tensor) else samples[indices]


class Indexed:
    """What can be gathered by a vector of indices can be indexed as a tensor can, along its samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def gather(self, indices: Tensor) -> Tensor:
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, tuple):
            found, whole = self[index[0]], (slice(None),) if not isinstance(index[0], int) else ()
            return found[(*whole, *index[1:])]
        if isinstance(index, slice):
            index = torch.arange(*index.indices(len(self)))
        indices = torch.as_tensor(index)
        if indices.dtype is torch.bool:
            indices = indices.nonzero().flatten()
        return self.gather(indices.reshape(-1).long()).reshape(*indices.shape, *self.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Windows(Indexed):
    """Windows of a series, cut when they are asked for: neighbours share their values."""

    values: Tensor
    """(L,) or (L, F)."""
    starts: Tensor
    """(N,) int64, where each window begins."""
    length: int
    """Values in a window."""
    flat: bool = False
    """Whether a sample is one row of all its numbers: (T·F,) instead of (T, F)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T), (N, T, F), or (N, T·F)."""
        sample = (self.length, *self.values.shape[1:])
        return (len(self.starts), *((prod(sample),) if self.flat else sample))

    @property
    def dtype(self) -> torch.dtype:
        """Of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Of the series and the starts, not of the windows, which never exist together."""
        return self.values.nbytes + self.starts.nbytes

    def gather(self, indices: Tensor) -> Tensor:
        """The windows of these indices."""
        place = self.starts[indices][:, None] + torch.arange(self.length, device=self.starts.device)
        return self.values[place].reshape(len(indices), *self.shape[1:])

    def to(self, device: str) -> Windows:
        """The same on a device."""
        return Windows(self.values.to(device), self.starts.to(device), self.length, self.flat)


@dataclass(frozen=True, slots=True, eq=False)
class Ragged(Indexed):
    """Texts one after the other, each as long as it is; asked for, they are padded behind with 0."""

    values: Tensor
    """(tokens of all texts,)."""
    offsets: Tensor
    """(N + 1,) int64: where each text begins, and where the last one ends."""
    longest: int
    """Tokens of the longest text."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T), T of the longest."""
        return (len(self.offsets) - 1, self.longest)

    @property
    def dtype(self) -> torch.dtype:
        """Of the tokens."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Of tokens and offsets; of padding there is none."""
        return self.values.nbytes + self.offsets.nbytes

    def gather(self, indices: Tensor) -> Tensor:
        """The texts of these indices, (M, T), as long as the longest of all."""
        return self.padded(indices, self.longest)

    def padded(self, indices: Tensor, length: int) -> Tensor:
        """The texts of these indices, (M, length), none of which may be longer."""
        place = torch.arange(length, device=self.values.device)
        begin, end = self.offsets[indices][:, None], self.offsets[indices + 1][:, None]
        inside = begin + place < end
        # Behind the last text there is nothing to look at: the places that are padding look at its own begin.
        tokens = self.values[torch.where(inside, begin + place, begin.clamp(max=max(0, len(self.values) - 1)))]
        return tokens * inside

    def to(self, device: str) -> Ragged:
        """The same on a device."""
        return Ragged(self.values.to(device), self.offsets.to(device), self.longest)
