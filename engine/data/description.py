"""What a data set is, without its samples: all that a network is built and checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.experiment.mistakes import Mistake

Task = Literal["classification", "regression", "forecasting", "language modelling"]
Token = Literal["word", "character", "piece"]
InputKind = Literal["image", "sequence", "tokens", "vector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the data is. Shapes are of one sample: C channels, H W, T time, F features."""

    source: str
    task: Task
    input_shape: tuple[int, ...]
    """(C, H, W) of an image, (T, F) of a sequence, (T,) of tokens, (F,) of a vector."""
    input_dtype: Literal["float32", "int64"]
    input_kind: InputKind
    outputs: int
    """What `out_features = "auto"` becomes: the number of classes, of values to predict, or of tokens to choose from.
    """
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """Names of the F features, where they have any."""
    targets: tuple[str, ...] = ()
    """Names of what is to be predicted, where they have any."""
    token: Token | None = None
    """What a token is, where the input is text."""
    vocabulary_size: int | None = None
    """Token numbers lie below it; padding (0) and the unknown word are counted."""
    has_lengths: bool = False
    train_samples: int
    val_samples: int
    test_samples: int
    stored: str = "float32"
    """The type that the input is kept in; it becomes `input_dtype` batch by batch."""
    bytes: int
    """Of the samples as they are kept."""
    odd_classes: str = ""
    """How classes stand in the file where they are no whole numbers, as a clause."""
    notes: tuple[str, ...] = ()
    """Sentences on what was done to the data, for the person who trains on it."""
    warnings: tuple[Mistake, ...] = ()
    """What makes it unlikely that anything useful is learned from the data as it is read."""
