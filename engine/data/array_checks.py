"""Warnings on arrays that look like something else than they are read as, or that contain nothing to learn.

N samples, C channels, H W, T time, F features, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.description import InputKind
from engine.data.splits import Indices
from engine.experiment.mistakes import Mistake, put, value_text

Array = NDArray[Any]

CHANNELS = (1, 3, 4)
"""Grey; red, green and blue; the same with an alpha channel."""
ONE_HOT = "each row of y has a single 1 among 0 (one-hot)"
_UNSCALED = 16.0
"""Absolute value that images scaled to 0 … 1 or standardised do not exceed."""
_AT_ONCE = 1024
_NAMED = 5


def looks_channels_last(x: Array) -> bool:
    """Whether images are (N, H, W, C): the last size is a usual number of channels, and the second is not."""
    return x.ndim == 4 and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS and min(x.shape[1:3]) >= x.shape[3]


def is_one_hot(y: Array) -> bool:
    """Whether each row of (N, K) has a single 1 and is 0 elsewhere."""
    if y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def array_warnings(x: Array, given: np.dtype[Any], kind: InputKind, train: Indices) -> Iterator[Mistake]:
    """Yield what makes it unlikely that a network learns from x as it is read.

    Args:
        x: as the network gets it: (N, C, H, W), (N, T, F) or (N, F). Tokens are not checked.
        given: the dtype of x in the file.
        train: indices of the training samples.
    """
    if kind == "sequence" and given == np.uint8:
        found = f"x {x.shape} of uint8 is read as {x.shape[1]:,} time steps of {x.shape[2]:,} features"
        fix = "If these are grey images, save x[:, None], which is (N, C, H, W)."
        yield _warning(found, "expected fractional numbers in a sequence", fix)
    if kind == "image" and x.dtype != np.uint8:
        yield from _unscaled(x, train)
    low, high = _ends(x, train, kind)
    constant = np.flatnonzero(low == high)
    if not len(constant):
        return
    named = ", ".join(str(int(at)) for at in constant[:_NAMED]) + (" …" if len(constant) > _NAMED else "")
    if kind == "image":
        found = f"{len(constant):,} of {len(train):,} training images have a single value everywhere: x[{named}]"
        yield _warning(found, "a network learns nothing from them", "Inspect and remove them.")
    elif len(constant) == len(low):
        found = f"no feature of x differs between samples (x is {low.flat[0]:.4g} …)"
        yield _warning(found, "a network learns nothing from them", "Save another x.")
    else:
        found = f"{len(constant):,} of {len(low):,} features of x have a single value in the training part: {named}"
        yield _warning(found, "a network learns nothing from them", "Remove them.")


def one_hot_warning(classes: int) -> Mistake:
    """Warn that one-hot classes are read as numbers to predict."""
    found = f"{ONE_HOT}, and is read as {classes} numbers to predict"
    fix = 'Set data.task = "classification", or save y.argmax(1).'
    expected = "expected the number of the class"
    return Mistake("data.task", found, expected, fix, severity="warning", remedy=put("classification"))


def _unscaled(x: Array, train: Indices) -> Iterator[Mistake]:
    low, high = (float(end) for end in (x.min(), x.max()))
    if max(-low, high) <= _UNSCALED:
        return
    found = f"images in x range from {value_text(round(low, 4))} to {value_text(round(high, 4))} and are not scaled"
    if low < 0 or high > 255:
        fix = f"Scale it before saving: x / {high:.6g}." if low >= 0 else "Scale it before saving."
    elif all((x[some] == np.floor(x[some])).all() for some in _parts(train)):
        fix = "Save it as bytes, which are standardised: x.astype(numpy.uint8)."
    else:
        fix = "Scale it before saving: x / 255."
    yield _warning(found, "expected numbers around 0, or bytes (uint8)", fix)


def _warning(found: str, expected: str, fix: str) -> Mistake:
    return Mistake("data.path", found, expected, fix, severity="warning")


def _ends(x: Array, train: Indices, kind: InputKind) -> tuple[Array, Array]:
    """The lowest and highest value of each training image (M,), or of each feature (F,) over samples and time."""
    if kind == "image":
        ends = [(x[some].min((1, 2, 3)), x[some].max((1, 2, 3))) for some in _parts(train)]
        low, high = (np.concatenate(end) for end in zip(*ends, strict=True))
        return low, high
    axes = tuple(range(x.ndim - 1))
    ends = [(x[some].min(axes), x[some].max(axes)) for some in _parts(train)]
    lows, highs = zip(*ends, strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _parts(train: Indices) -> list[Indices]:
    return [train[begin : begin + _AT_ONCE] for begin in range(0, len(train), _AT_ONCE)]
