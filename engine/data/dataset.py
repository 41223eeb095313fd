"""The samples of a source as tensors, and which of them are for training, validation and testing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.description import Description, InputKind, Task, Token
from engine.data.preparation import Preparation
from engine.data.samples import Samples, take
from engine.data.splits import Parts
from engine.experiment.mistakes import Mistake


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Every sample of a source in its stored dtype, in host memory. `preparation` makes a batch the network's input."""

    description: Description
    x: Samples
    """(N, C, H, W) float32 or uint8, (N, T, F) or (N, F) float32; (N, T) whole numbers for tokens, padded with 0."""
    y: Samples
    """(N,) int64 class numbers for classification, (N, T) whole numbers of the next tokens for language modelling,
    otherwise (N, outputs) float32."""
    lengths: Tensor | None = None
    """(N,) int64, time steps of each sample before its padding; None if no sample is padded."""
    train: Tensor
    """int64 indices into the N samples, as are `validation` and `test`; no sample is in two of them."""
    validation: Tensor
    test: Tensor
    vocabulary: tuple[str, ...] = ()
    """The token of each number, padding and unknown first; empty if the input is not text."""
    statistics: dict[str, float] = field(default_factory=dict)
    """Statistics of the training part, such as `mean` and `std` of a standardised series."""
    encoders: Mapping[str, Any] = field(default_factory=dict)
    """Everything else learned from the training part, as JSON values: numbers of categories and merges."""
    preparation: Preparation = field(default_factory=Preparation)
    units: Units | None = None
    """Converts standardised targets back to their units."""
    bucketed: bool = False
    """Whether a batch consists of samples of similar length."""
    temperature: float | None = None
    """Sampling temperature of the text that a language model generates after each epoch; None: it generates none."""

    season: int = 1
    """Steps after which a series repeats; 1 if unknown."""
    identity: str = ""
    """Identifies samples that are slow to read, so that results can be cached; otherwise empty."""

    @property
    def learned(self) -> dict[str, Any]:
        """Everything learned from the training part, as JSON values; it is saved with the run."""
        found = {
            "vocabulary": list(self.vocabulary),
            "statistics": self.statistics,
            "encoders": dict(self.encoders),
            "normalization": self.preparation.as_dict(),
            "units": None if self.units is None else self.units.as_dict(),
        }
        return {name: value for name, value in found.items() if value}

    def inputs(self, indices: Tensor) -> Tensor:
        """The network's input for these samples (M,), without augmentation."""
        return self.preparation(take(self.x, indices))


def dataset(
    source: str,
    task: Task,
    input_kind: InputKind,
    x: NDArray[Any] | Samples,
    y: NDArray[Any] | Samples,
    parts: Parts,
    *,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    lengths: NDArray[Any] | None = None,
    vocabulary: tuple[str, ...] = (),
    vocabulary_size: int | None = None,
    statistics: dict[str, float] | None = None,
    encoders: Mapping[str, Any] | None = None,
    units: Units | None = None,
    token: Token | None = None,
    bucketed: bool = False,
    season: int = 1,
    identity: str = "",
    temperature: float | None = None,
    notes: tuple[str, ...] = (),
    warnings: tuple[Mistake, ...] = (),
    odd_classes: str = "",
) -> Dataset:
    """The data set of samples that have their final types and scale. Memory is shared with arrays, not copied."""
    x, y = (torch.from_numpy(values) if isinstance(values, np.ndarray) else values for values in (x, y))
    description = Description(
        source=source,
        task=task,
        input_shape=tuple(x.shape[1:]),
        input_dtype="int64" if input_kind == "tokens" else "float32",
        input_kind=input_kind,
        outputs=_outputs(task, classes, len(vocabulary), y),
        token=token,
        classes=classes,
        features=features,
        targets=targets,
        vocabulary_size=len(vocabulary) or vocabulary_size,
        has_lengths=lengths is not None,
        train_samples=len(parts.train),
        val_samples=len(parts.validation),
        test_samples=len(parts.test),
        stored=str(x.dtype).removeprefix("torch."),
        bytes=x.nbytes + y.nbytes + (0 if lengths is None else lengths.nbytes),
        notes=parts.notes + notes,
        warnings=warnings,
        odd_classes=odd_classes,
    )
    return Dataset(
        description=description,
        x=x,
        y=y,
        lengths=None if lengths is None else torch.from_numpy(lengths),
        train=torch.from_numpy(parts.train),
        validation=torch.from_numpy(parts.validation),
        test=torch.from_numpy(parts.test),
        vocabulary=vocabulary,
        statistics=statistics or {},
        encoders=encoders or {},
        units=units,
        bucketed=bucketed,
        season=season,
        identity=identity,
        temperature=temperature,
    )


def _outputs(task: Task, classes: tuple[str, ...], vocabulary_size: int, y: Samples) -> int:
    match task:
        case "classification":
            return len(classes)
        case "language modelling":
            return vocabulary_size
    return y.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units of standardised targets: value = standardised · scale + offset, for each output."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def of(self, standardised: Tensor) -> Tensor:
        """Convert standardised values (N, outputs) to units, in double precision if the device supports it."""
        precise = torch.float32 if standardised.device.type == "mps" else torch.float64
        scale, offset = (torch.tensor(v, dtype=precise, device=standardised.device) for v in (self.scale, self.offset))
        return standardised.to(precise) * scale + offset

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"scale": list(self.scale), "offset": list(self.offset)}
