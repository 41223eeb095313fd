"""Memory-saving containers of samples: windows of a series, texts of any length.

A plain Tensor of N samples is one of them. The others support the same operations: `len`, `shape`,
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
    """N samples. `shape` starts with N; the index is a number or a tensor of numbers."""

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
    """The samples of indices (M,) on the same device, as a new tensor (M, …) of the stored dtype."""
    return samples.index_select(0, indices) if isinstance(samples, Tensor) else samples[indices]


class Indexed:
    """Adds a tensor's indexing along the samples to a class with `gather`."""

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
    """Windows of a series, cut on access: overlapping windows share memory."""

    values: Tensor
    """(L,) or (L, F)."""
    starts: Tensor
    """(N,) int64, where each window begins."""
    length: int
    """Values in a window."""
    flat: bool = False
    """Whether a sample is flattened: (T·F,) instead of (T, F)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T), (N, T, F), or (N, T·F)."""
        sample = (self.length, *self.values.shape[1:])
        return (len(self.starts), *((prod(sample),) if self.flat else sample))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the series and the starts; windows are not stored."""
        return self.values.nbytes + self.starts.nbytes

    def gather(self, indices: Tensor) -> Tensor:
        """The windows of indices (M,), as (M, T), (M, T, F) or (M, T·F)."""
        place = self.starts[indices][:, None] + torch.arange(self.length, device=self.starts.device)
        return self.values[place].reshape(len(indices), *self.shape[1:])

    def to(self, device: str) -> Windows:
        """A copy on a device."""
        return Windows(self.values.to(device), self.starts.to(device), self.length, self.flat)


@dataclass(frozen=True, slots=True, eq=False)
class Ragged(Indexed):
    """Texts of any length in one tensor; on access they are padded at the end with 0."""

    values: Tensor
    """(number of tokens of all texts,)."""
    offsets: Tensor
    """(N + 1,) int64: the start of each text, and the end of the last one."""
    longest: int
    """Tokens of the longest text."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T), where T is the length of the longest text."""
        return (len(self.offsets) - 1, self.longest)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the tokens."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of tokens and offsets; padding is not stored."""
        return self.values.nbytes + self.offsets.nbytes

    def gather(self, indices: Tensor) -> Tensor:
        """The texts of indices (M,), padded to the longest of all: (M, T)."""
        return self.padded(indices, self.longest)

    def padded(self, indices: Tensor, length: int) -> Tensor:
        """The texts of indices (M,), padded to `length`, which none of them may exceed: (M, length)."""
        place = torch.arange(length, device=self.values.device)
        begin, end = self.offsets[indices][:, None], self.offsets[indices + 1][:, None]
        inside = begin + place < end
        # Padding positions read the start of their own text, since reading past the last text would fail.
        tokens = self.values[torch.where(inside, begin + place, begin.clamp(max=max(0, len(self.values) - 1)))]
        return tokens * inside

    def to(self, device: str) -> Ragged:
        """A copy on a device."""
        return Ragged(self.values.to(device), self.offsets.to(device), self.longest)
