"""Augmentations of whole batches on their device; each sample gets its own random draws.

They have the names and arguments of torchvision.transforms.v2, whose transforms change one image at a time and would
draw once for a batch. They draw on the CPU, so that a seed gives the same result on every device.
N batch, C channels, H W, T time, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.data.text import PADDING, UNKNOWN


class RandomHorizontalFlip:
    """Mirrors an image left to right with probability `p`. Images (N, C, H, W)."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(_chosen(x, self.p), x.flip(-1), x)


class RandomVerticalFlip:
    """Mirrors an image top to bottom with probability `p`. Images (N, C, H, W)."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(_chosen(x, self.p), x.flip(-2), x)


class RandomInvert:
    """Inverts an image with probability `p`: 255 - x for bytes, 1 - x for other numbers."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(_chosen(x, self.p), _most(x) - x, x)


class RandomGrayscale:
    """Makes an image of three channels grey with probability `p`: 0.2989 R + 0.587 G + 0.114 B."""

    def __init__(self, p: float = 0.1) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(_chosen(x, self.p), _of_type(_grey(x.float()), x.dtype), x) if x.shape[1] == 3 else x


class RandomCrop:
    """Pads an image and crops it at a random position.

    Args:
        size: (H, W) of the crop.
        padding: one number for all sides, two for left and right, top and bottom, or one for each side from the left.
        fill: the value of padded pixels, for padding_mode constant.
    """

    def __init__(
        self, size: Sequence[int], padding: int | Sequence[int] = 0, fill: float = 0.0, padding_mode: str = "constant"
    ) -> None:
        self.height, self.width = size
        self.padding = _sides(padding)
        self.fill = fill
        self.padding_mode = padding_mode

    def __call__(self, x: Tensor) -> Tensor:
        x = self._padded(x)
        samples, _, height, width = x.shape
        top = torch.randint(height - self.height + 1, (samples,))
        left = torch.randint(width - self.width + 1, (samples,))
        if x.device.type == "cpu":
            # Stacking a view of each image is cheaper than an index for every pixel.
            places = zip(x, top.tolist(), left.tolist(), strict=True)
            return torch.stack([image[:, t : t + self.height, lf : lf + self.width] for image, t, lf in places])
        rows = top.to(x.device)[:, None] + torch.arange(self.height, device=x.device)
        columns = left.to(x.device)[:, None] + torch.arange(self.width, device=x.device)
        at = torch.arange(samples, device=x.device)[:, None, None]
        return x.permute(0, 2, 3, 1)[at, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    def _padded(self, x: Tensor) -> Tensor:
        if not any(self.padding):
            return x
        left, top, right, bottom = self.padding
        sides = (left, right, top, bottom)
        if self.padding_mode == "constant":
            return functional.pad(x, sides, value=self.fill)
        mode = {"edge": "replicate", "reflect": "reflect"}[self.padding_mode]
        return functional.pad(x.float(), sides, mode=mode).to(x.dtype)


class RandomErasing:
    """Erases a rectangle of an image with probability `p` (Zhong et al., 2017, https://arxiv.org/abs/1708.04896).

    Args:
        scale: lowest and highest erased share of the area.
        ratio: lowest and highest ratio of the rectangle's height to its width.
        value: the value of erased pixels.
    """

    TRIES = 10

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float = 0.0,
    ) -> None:
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value

    def __call__(self, x: Tensor) -> Tensor:
        samples, _, height, width = x.shape
        area = height * width * torch.empty(samples, self.TRIES).uniform_(*self.scale)
        ratio = torch.empty(samples, self.TRIES).uniform_(*map(math.log, self.ratio)).exp()
        h, w = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (h < height) & (w < width)
        # The first try that fits is used, as in torchvision; if none fits, nothing is erased.
        first = fits.int().argmax(1, keepdim=True)
        h, w = h.gather(1, first)[:, 0], w.gather(1, first)[:, 0]
        done = fits.any(1) & (torch.rand(samples) < self.p)
        top = (torch.rand(samples) * (height - h + 1)).floor()
        left = (torch.rand(samples) * (width - w + 1)).floor()
        rows, columns = torch.arange(height), torch.arange(width)
        inside = ((rows >= top[:, None]) & (rows < (top + h)[:, None]))[:, :, None]
        inside = inside & ((columns >= left[:, None]) & (columns < (left + w)[:, None]))[:, None, :]
        return x.masked_fill((inside & done[:, None, None])[:, None].to(x.device), self.value)


class ColorJitter:
    """Changes brightness, contrast and saturation of an image, in this order, each by a factor from 1 - v to 1 + v.

    Args:
        brightness, contrast, saturation: v, or the lowest and the highest factor; 0 changes nothing.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
    ) -> None:
        self.brightness, self.contrast, self.saturation = map(_factors, (brightness, contrast, saturation))

    def __call__(self, x: Tensor) -> Tensor:
        found, most = x.float(), _most(x)
        coloured = x.shape[1] == 3
        if self.brightness is not None:
            found = (found * _drawn(x, self.brightness)).clamp(0, most)
        if self.contrast is not None:
            mean = (_grey(found) if coloured else found).mean((1, 2, 3), keepdim=True)
            found = _blend(found, mean, _drawn(x, self.contrast), most)
        if self.saturation is not None and coloured:
            found = _blend(found, _grey(found), _drawn(x, self.saturation), most)
        return _of_type(found, x.dtype)


class RandomAffine:
    """Rotates, shifts, scales and shears an image about its centre in one step.

    Args:
        degrees: rotates by at most this many degrees in either direction, or between two values; counterclockwise.
        translate: largest shift to the side and down, as shares of its size.
        scale: lowest and highest scale factor.
        shear: shears by at most this many degrees in either direction, or between two values.
        interpolation: nearest or bilinear.
        fill: the value of pixels from outside the image.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] = (0.0, 0.0),
        scale: Sequence[float] = (1.0, 1.0),
        shear: float | Sequence[float] = 0.0,
        interpolation: str = "nearest",
        fill: float = 0.0,
    ) -> None:
        self.degrees = _either_way(degrees)
        self.translate = translate
        self.scale = scale
        self.shear = _either_way(shear)
        self.interpolation = interpolation
        self.fill = fill

    def __call__(self, x: Tensor) -> Tensor:
        samples, _, height, width = x.shape
        angle = torch.empty(samples).uniform_(*self.degrees)
        shift = torch.empty(samples, 2).uniform_(-1, 1) * torch.tensor(self.translate) * torch.tensor([width, height])
        scale = torch.empty(samples).uniform_(*self.scale)
        shear = torch.empty(samples).uniform_(*self.shear)
        return warped(x, angle, shift.round(), scale, shear, interpolation=self.interpolation, fill=self.fill)


class RandomRotation(RandomAffine):
    """Rotates an image about its centre; corners that leave the image are lost."""

    def __init__(self, degrees: float | Sequence[float], interpolation: str = "nearest", fill: float = 0.0) -> None:
        super().__init__(degrees, interpolation=interpolation, fill=fill)


def warped(
    x: Tensor, angle: Tensor, shift: Tensor, scale: Tensor, shear: Tensor, *, interpolation: str, fill: float
) -> Tensor:
    """Rotate images (N, C, H, W) counterclockwise by `angle` degrees, scale, shear by `shear` degrees and shift them.

    Args:
        angle, scale, shear: (N,). shift: (N, 2), pixels to the right and down.
    """
    height, width = x.shape[-2:]
    turn, lean = (-angle).deg2rad(), shear.deg2rad()
    # The source of each pixel: the inverse of shift · rotation · shear · scale about the centre.
    cos, sin, tan = turn.cos() / scale, turn.sin() / scale, lean.tan()
    across = torch.stack([cos, sin], 1)
    down = torch.stack([-sin, cos], 1)
    matrix = torch.stack([across + tan[:, None] * down, down], 1)
    # Pixels are square, but torch's grid runs from -1 to 1 in both directions.
    half = torch.tensor([width / 2, height / 2])
    moved = -(matrix @ shift[:, :, None])[:, :, 0] / half
    theta = torch.cat([matrix * half[None, None, :] / half[None, :, None], moved[:, :, None]], 2).to(x.device)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    images = x.float()
    if fill:
        images = torch.cat([images, torch.ones_like(images[:, :1])], 1)
    found = functional.grid_sample(images, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    if fill:
        found, inside = found[:, :-1], found[:, -1:]
        found = found + (1 - inside) * fill
    return _of_type(found, x.dtype)


class ForEachImage:
    """Applies one of torchvision's transforms to each image of a batch separately."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, x: Tensor) -> Tensor:
        return torch.stack([self.transform(image) for image in x])


class WordDropout:
    """Replaces a token with the unknown token with probability `p`. Tokens (N, T).

    Source: Iyyer et al., 2015, Deep Unordered Composition Rivals Syntactic Methods for Text Classification.
    """

    def __init__(self, p: float = 0.1) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        dropped = (torch.rand(x.shape) < self.p).to(x.device)
        return x.masked_fill(dropped & (x != PADDING), UNKNOWN)


class Jitter:
    """Adds normal noise of standard deviation `std` to every number. Sequences (N, T, F), vectors (N, F).

    Source: Um et al., 2017, https://arxiv.org/abs/1706.00527
    """

    def __init__(self, std: float = 0.03) -> None:
        self.std = std

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn(x.shape).to(x.device)


class Scaling:
    """Multiplies each feature of a sample by a normally distributed factor with mean 1. Sequences (N, T, F).

    Source: Um et al., 2017, https://arxiv.org/abs/1706.00527
    """

    def __init__(self, std: float = 0.1) -> None:
        self.std = std

    def __call__(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], *(1 for _ in x.shape[1:-1]), x.shape[-1])
        return x * (1 + self.std * torch.randn(shape)).to(x.device)


def _chosen(x: Tensor, p: float) -> Tensor:
    """(N, 1, 1, 1) whether each sample is changed."""
    return (torch.rand(len(x)) < p).view(-1, 1, 1, 1).to(x.device)


def _drawn(x: Tensor, between: tuple[float, float]) -> Tensor:
    return torch.empty(len(x)).uniform_(*between).view(-1, 1, 1, 1).to(x.device)


def _most(x: Tensor) -> float:
    return 255 if x.dtype is torch.uint8 else 1.0


def _of_type(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Pixels in their stored dtype; bytes are rounded."""
    return values.round_().clamp_(0, 255).to(dtype) if dtype is torch.uint8 else values.to(dtype)


def _grey(x: Tensor) -> Tensor:
    weights = torch.tensor([0.2989, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def _blend(x: Tensor, other: Tensor, share: Tensor, most: float) -> Tensor:
    return (share * x + (1 - share) * other).clamp(0, most)


def _factors(value: float | Sequence[float]) -> tuple[float, float] | None:
    if isinstance(value, (int, float)):
        return (max(0.0, 1 - value), 1 + value) if value else None
    least, most = value
    return (least, most)


def _either_way(value: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(value, (int, float)):
        return (-value, value)
    least, most = value
    return (least, most)


def _sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom)."""
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) == 2:
        return (padding[0], padding[1], padding[0], padding[1])
    left, top, right, bottom = padding
    return (left, top, right, bottom)
