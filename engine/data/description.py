"""The description of a dataset without its samples: what a network is built for and checked against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from engine.experiment.mistakes import Mistake, Refused

Task = Literal["classification", "regression", "forecasting", "language modelling"]
Token = Literal["word", "character", "piece"]
InputKind = Literal["image", "sequence", "tokens", "vector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Describes a dataset. Shapes are of one sample: C channels, H W, T time, F features."""

    source: str
    task: Task
    input_shape: tuple[int, ...]
    """(C, H, W) of an image, (T, F) of a sequence, (T,) of tokens, (F,) of a vector."""
    input_dtype: Literal["float32", "int64"]
    input_kind: InputKind
    outputs: int
    """The value of `out_features = "auto"`: the number of classes, of values to predict, or of tokens.
    """
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """Names of the F features, if known."""
    targets: tuple[str, ...] = ()
    """Names of the targets, if known."""
    token: Token | None = None
    """What a token is, for text."""
    vocabulary_size: int | None = None
    """Number of tokens, including padding (0) and the unknown token."""
    has_lengths: bool = False
    train_samples: int
    val_samples: int
    test_samples: int
    stored: str = "float32"
    """The stored dtype of the input; each batch is converted to `input_dtype`."""
    bytes: int
    """Size of the stored samples."""
    odd_classes: str = ""
    """A clause on how the file stores classes, if they are not integers."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on how the data was read and prepared."""
    warnings: tuple[Mistake, ...] = ()
    """What makes it unlikely that a network learns from the data as it is read."""


class DataRefused(Refused):
    """Refused data, with its task and number of classes if known, so that the rest of a document can be checked."""

    def __init__(self, mistakes: Iterable[Mistake], task: Task | None = None, classes: int | None = None) -> None:
        super().__init__(mistakes)
        self.task, self.classes = task, classes
