"""The samples of a source as tensors, and which of them are for training, validation and testing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.description import Description, InputKind, Task
from engine.data.splits import Parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Every sample of a source, in host memory."""

    description: Description
    x: Tensor
    """(N, C, H, W), (N, T, F) or (N, F) float32; (N, T) int64 for tokens, 0 where a text has ended."""
    y: Tensor
    """(N,) int64 class numbers for classification, otherwise (N, outputs) float32."""
    lengths: Tensor | None = None
    """(N,) int64, time steps of each sample before its padding; None where all are full."""
    train: Tensor
    """int64 indices into the N samples, as are `validation` and `test`; no sample is in two of them."""
    validation: Tensor
    test: Tensor
    vocabulary: tuple[str, ...] = ()
    """Token of each number, padding and unknown first; empty where the input is not text."""
    statistics: dict[str, float] = field(default_factory=dict)
    """What was fitted on the training part, such as `mean` and `std` of a standardised series."""


def dataset(
    source: str,
    task: Task,
    input_kind: InputKind,
    x: NDArray[Any],
    y: NDArray[Any],
    parts: Parts,
    *,
    classes: tuple[str, ...] = (),
    lengths: NDArray[Any] | None = None,
    vocabulary: tuple[str, ...] = (),
    vocabulary_size: int | None = None,
    statistics: dict[str, float] | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """The data set of arrays that have their final types and scale. The memory is shared with them, not copied."""
    description = Description(
        source=source,
        task=task,
        input_shape=tuple(x.shape[1:]),
        input_dtype="int64" if input_kind == "tokens" else "float32",
        input_kind=input_kind,
        outputs=len(classes) if task == "classification" else y.shape[1],
        classes=classes,
        vocabulary_size=len(vocabulary) or vocabulary_size,
        has_lengths=lengths is not None,
        train_samples=len(parts.train),
        val_samples=len(parts.validation),
        test_samples=len(parts.test),
        bytes=x.nbytes + y.nbytes + (0 if lengths is None else lengths.nbytes),
        notes=parts.notes + notes,
    )
    return Dataset(
        description=description,
        x=torch.from_numpy(x),
        y=torch.from_numpy(y),
        lengths=None if lengths is None else torch.from_numpy(lengths),
        train=torch.from_numpy(parts.train),
        validation=torch.from_numpy(parts.validation),
        test=torch.from_numpy(parts.test),
        vocabulary=vocabulary,
        statistics=statistics or {},
    )
