"""Apply the transforms of a document (all parts, once) and its augmentations (training part, every epoch).

Both are catalog entries with torchvision's names. N batch, C channels, H W.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from engine.catalog.augmentations import IMAGES, NUMBERS, OURS, TEXTS
from engine.catalog.choices import blame, check_parameters, check_type
from engine.catalog.entry import Entry
from engine.catalog.value_types import as_tuples
from engine.data import augmentation
from engine.data.dataset import Dataset
from engine.data.description import Description
from engine.data.preparation import Augmentation, drawing_from
from engine.data.samples import Samples, take
from engine.experiment.document import Choice, Data
from engine.experiment.mistakes import Mistake, Refused

AT_ONCE = 256
"""Images transformed in one batch."""

_SUITS = {"image": IMAGES, "tokens": TEXTS, "sequence": NUMBERS, "vector": NUMBERS}
_ARE = {IMAGES: "images", TEXTS: "text", NUMBERS: "sequences and rows of numbers"}


def transform_mistakes(data: Data) -> list[Mistake]:
    """Mistakes in names and parameters of transforms and augmentations, found without data."""
    mistakes: list[Mistake] = []
    fields = (("transforms", "transforms", data.transforms), ("augmentations", "augment", data.augment))
    for kind, field, choices in fields:
        for i, choice in enumerate(choices):
            path = f"data.{field}[{i}]"
            entry, wrong = check_type(kind, choice, path)
            mistakes += wrong
            if entry is not None:
                mistakes += check_parameters(entry, choice.parameters, path).mistakes
    return mistakes


def transformed(dataset: Dataset, data: Data, room: int) -> Dataset:
    """The dataset with the transforms and augmentations of `data`.

    Args:
        room: bytes that transformed samples may take; larger datasets are transformed on access.

    Raises:
        Refused: a transform does not suit the data, cannot be built, or changes the shape where it may not.
    """
    if data.transforms:
        dataset = _with_transforms(dataset, data.transforms, room)
    if data.augment:
        augmentations = tuple(
            _augmentation(choice, f"data.augment[{i}]", dataset) for i, choice in enumerate(data.augment)
        )
        dataset = replace(dataset, preparation=replace(dataset.preparation, augmentations=augmentations))
    return dataset


def _with_transforms(dataset: Dataset, choices: Sequence[Choice], room: int) -> Dataset:
    steps: list[Callable[[Tensor], Tensor]] = []
    example = take(dataset.x, torch.tensor([0]))
    for i, choice in enumerate(choices):
        path = f"data.transforms[{i}]"
        entry = _suiting("transforms", choice, path, dataset.description)
        step = _made(entry, choice.parameters, path)
        example = _tried(step, example, entry, path)
        steps.append(step)
    x: Samples = Transformed(dataset.x, tuple(steps), tuple(example.shape[1:]), example.dtype)
    if x.nbytes <= room and isinstance(dataset.x, Tensor):
        x = torch.cat([take(x, some) for some in torch.arange(len(x)).split(AT_ONCE)])
    description = replace(
        dataset.description,
        input_shape=tuple(example.shape[1:]),
        stored=str(example.dtype).removeprefix("torch."),
        bytes=dataset.description.bytes - dataset.x.nbytes + x.nbytes,
    )
    return replace(dataset, x=x, description=description)


@dataclass(frozen=True, slots=True)
class Transformed:
    """Samples that are transformed on access, since they would not fit into memory."""

    samples: Samples
    steps: tuple[Callable[[Tensor], Tensor], ...]
    sample_shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (len(self.samples), *self.sample_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all transformed samples."""
        return prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> Tensor:
        indices = torch.as_tensor(index)
        x = take(self.samples, indices.reshape(-1))
        for step in self.steps:
            x = step(x)
        return x if indices.ndim else x[0]

    def to(self, device: str) -> Transformed:
        """A copy on a device."""
        return replace(self, samples=self.samples.to(device))


def _augmentation(choice: Choice, path: str, dataset: Dataset) -> Augmentation:
    entry = _suiting("augmentations", choice, path, dataset.description)
    given = dict(choice.parameters)
    example = take(dataset.x, dataset.train[:2])
    height_width = list(example.shape[-2:])
    if "size" in entry.inferred:
        size = given.setdefault("size", height_width)
        if (size if isinstance(size, (list, tuple)) else [size, size]) != height_width:
            height, width = height_width
            fix = f'Remove size, or resize all images: data.transforms = [{{type = "Resize", size = {size}}}].'
            found, expected = f"it outputs images of {size}", f"validation images are {height}×{width}"
            raise Refused(Mistake(f"{path}.size", found, expected, fix, subject=entry.name))
        given["size"] = height_width
    if entry.signature_of.startswith(OURS) or entry.torch_name.startswith(OURS):
        made: Augmentation = getattr(augmentation, entry.name)(**as_tuples(_plain(given)))
    else:
        made = augmentation.ForEachImage(_made(entry, given, path))
    with drawing_from(torch.Generator().manual_seed(0)):  # trying it must not use the random numbers of a run
        changed = _tried(made, example, entry, path)
    if changed.shape != example.shape or changed.dtype != example.dtype:
        found = f"it changes the shape {tuple(example.shape[1:])} to {tuple(changed.shape[1:])}"
        fix = "Remove it, or resize all images with data.transforms."
        raise Refused(Mistake(path, found, "validation images keep their shape", fix, subject=entry.name))
    return made


def _suiting(kind: str, choice: Choice, path: str, description: Description) -> Entry:
    entry, _ = check_type(kind, choice, path)
    assert entry is not None  # transform_mistakes reported it
    is_ = _SUITS[description.input_kind]
    if entry.group != is_:
        found = f"it is for {_ARE[entry.group]}"
        raise Refused(Mistake(path, found, f"the data is {_ARE[is_]}", "Remove it.", subject=entry.name))
    return entry


def _made(entry: Entry, given: Mapping[str, Any], path: str) -> Callable[[Tensor], Tensor]:
    """Build one of torchvision's transforms."""
    from torchvision.transforms import v2

    arguments = {name: _argument(name, value) for name, value in _plain(given).items()}
    try:
        made: Callable[[Tensor], Tensor] = getattr(v2, entry.name)(**arguments)
    except (ValueError, TypeError) as error:
        attempt = lambda **some: getattr(v2, entry.name)(**{n: _argument(n, v) for n, v in some.items()})  # noqa: E731
        raise Refused(blame(entry, _plain(given), error, attempt, path)) from None
    return made


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _argument(name: str, value: Any) -> Any:
    """Convert a value of the document to torchvision's type."""
    from torchvision.transforms import v2

    if name == "interpolation":
        return v2.InterpolationMode(value)
    if name == "policy":
        return v2.AutoAugmentPolicy(value)
    return value


def _tried(step: Callable[[Tensor], Tensor], example: Tensor, entry: Entry, path: str) -> Tensor:
    try:
        return step(example)
    except (ValueError, TypeError, RuntimeError) as error:
        shape, dtype = "×".join(map(str, example.shape[1:])), str(example.dtype).removeprefix("torch.")
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        found = f"it cannot be applied to images of {shape} in {dtype}"
        raise Refused(Mistake(path, found, f"torchvision says: {reason}", "Remove it.", subject=entry.name)) from None
