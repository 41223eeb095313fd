"""Read a part of one of torchvision's sets with torchvision's class: pixels and labels, or files and labels.

Some sets are published as pickles. torchvision compares their MD5 before it reads them. In addition, they are read here
as arrays and plain values, and nothing in them is called.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.data.published.plain_pickles import read_plain

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Part:
    """N images of a part with their class numbers; either `pixels` or `files` is filled."""

    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    """Names of the classes; empty if torchvision knows none."""
    pixels: NDArray[np.uint8] | None = None
    """(N, C, H, W)."""
    files: tuple[str, ...] = ()


def read_part(torch_name: str, arguments: dict[str, Any], target: str = "", *, download: bool = False) -> Part:
    """Read a part with torchvision's class of that name.

    Args:
        target: the prefix of `labels` and `classes` if a set has several: `bin_` for the pets.

    Raises:
        RuntimeError: from torchvision: files are missing or differ from the published ones.
        Exception: from any reader, for damaged files.
    """
    from torchvision import datasets

    with _plain_pickles():
        made = getattr(datasets, torch_name)(**arguments, download=download)
    classes = tuple(_name(name) for name in getattr(made, f"{target}classes", ()))
    for name in ("_samples", "samples"):
        if pairs := getattr(made, name, None):
            files, labels = zip(*pairs, strict=True)
            return Part(np.asarray(labels, np.int64), classes, files=tuple(map(str, files)))
    for name in ("_image_files", "_images"):
        if found := getattr(made, name, None):
            labels = getattr(made, f"_{target}labels")
            return Part(np.asarray(labels, np.int64), classes, files=tuple(map(str, found)))
    numbers = np.asarray(made.targets if hasattr(made, "targets") else made.labels, np.int64)
    if numbers.ndim == 2:  # QMNIST's first column is the class, the others identify the writer
        numbers = numbers[:, 0]
    return Part(numbers, classes, _channels_first(np.asarray(made.data)))


def _name(name: object) -> str:
    """The name of a class; torchvision has several names for classes of Imagenette, the usual one first."""
    return str(name[0]) if isinstance(name, tuple) else str(name)


def _channels_first(data: NDArray[Any]) -> NDArray[np.uint8]:
    if data.ndim == 3:
        data = data[:, None]
    elif data.shape[1] not in (1, 3):
        data = data.transpose(0, 3, 1, 2)
    if data.dtype != np.uint8:
        raise ValueError(f"pixels are of type {data.dtype}, not of uint8")
    return data


@contextmanager
def _plain_pickles() -> Iterator[None]:
    """Context in which torchvision reads pickles with `read_plain`."""
    from torchvision.datasets import cifar

    def load(file: IO[bytes], *, encoding: str = "latin1") -> Any:
        return read_plain(file)

    with _one_at_a_time:
        before = cifar.pickle
        cifar.pickle = SimpleNamespace(load=load)
        try:
            yield
        finally:
            cifar.pickle = before
