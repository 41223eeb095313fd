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
from engine.data.units import Units
from engine.experiment.mistakes import Mistake


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Every sample of a source, in host memory, as it is stored; `prepare` makes of a batch what the network gets."""

    description: Description
    x: Samples
    """(N, C, H, W) float32 or uint8, (N, T, F) or (N, F) float32; (N, T) whole numbers for tokens, 0 behind a text."""
    y: Samples
    """(N,) int64 class numbers for classification, (N, T) whole numbers of the next tokens for language modelling,
    otherwise (N, outputs) float32."""
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
    encoders: Mapping[str, Any] = field(default_factory=dict)
    """What else was learned from the training part, as JSON holds it: how categories and merges are numbered."""
    preparation: Preparation = field(default_factory=Preparation)
    units: Units | None = None
    """How targets that were standardised come back to what they are measured in."""
    bucketed: bool = False
    """Whether batches are made of samples of like length."""
    temperature: float | None = None
    """How freely a language model's text is drawn that is shown after each epoch; None: none is shown."""

    season: int = 1
    """Steps after which a series that is forecast repeats; 1 where that is not known."""
    identity: str = ""
    """What tells the samples from any others, where reading them all takes long; empty where it does not."""

    @property
    def learned(self) -> dict[str, Any]:
        """All that was learned from the training part, as JSON holds it: it is kept with the run."""
        found = {
            "vocabulary": list(self.vocabulary),
            "statistics": self.statistics,
            "encoders": dict(self.encoders),
            "normalization": self.preparation.as_dict(),
            "units": None if self.units is None else self.units.as_dict(),
        }
        return {name: value for name, value in found.items() if value}

    def inputs(self, indices: Tensor) -> Tensor:
        """What the network gets for these samples (M,), without augmentation."""
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
