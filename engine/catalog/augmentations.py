"""Augmentations: random changes of training samples, drawn again in every epoch. https://docs.pytorch.org/vision/stable/transforms.html"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from engine.catalog.entry import Entry

_Share = Annotated[float, Ge(0), Le(1)]
_Positive = Annotated[float, Gt(0)]
_Count = Annotated[int, Ge(0), Le(4096)]
_Fill = Annotated[float, Ge(0), Le(255)]
_Sides = _Count | tuple[_Count, _Count] | tuple[_Count, _Count, _Count, _Count]
_Side = Annotated[int, Ge(1), Le(8192)]
_Size = _Side | tuple[_Side, _Side]
_Strength = _Share | tuple[Annotated[float, Ge(0)], Annotated[float, Ge(0)]]
_Pair = tuple[_Positive, _Positive]
INTERPOLATION = Literal["nearest", "bilinear", "bicubic"]
SIZE = {"size": "the size of the images"}

IMAGES, TEXTS, NUMBERS = "images", "texts", "numbers"
"""Groups of augmentations: the data that they change."""

OURS = "engine.data.augmentation"
V2 = "torchvision.transforms.v2"


def _batched(name: str, summary: str, when: str, **more: Any) -> Entry:
    """An augmentation that torchdeck applies to whole batches."""
    return Entry(
        kind="augmentations", name=name, torch_name=f"{V2}.{name}", signature_of=f"{OURS}.{name}", group=IMAGES,
        summary=summary, when=when, **more,
    )  # fmt: skip


def _each(name: str, summary: str, when: str, **more: Any) -> Entry:
    """An augmentation of torchvision that is applied to one image at a time."""
    when_not = f"{more.pop('when_not')} It is applied to one image at a time, which slows down a GPU."
    return Entry(
        kind="augmentations", name=name, torch_name=f"{V2}.{name}", group=IMAGES, summary=summary, when=when,
        when_not=when_not, **more,
    )  # fmt: skip


def _ours(name: str, group: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(
        kind="augmentations", name=name, torch_name=f"{OURS}.{name}", group=group, summary=summary, when=when, **more
    )


_PROBABILITY = {"p": "Probability that an image is changed."}
_AFFINE_HELPS = {
    "interpolation": "How a value between pixels is computed: from the nearest pixel, or from the four around it.",
    "degrees": "The angle lies between -degrees and degrees, or between these two values.",
    "fill": "Value of pixels from outside the image: 0 to 255 for uint8 pixels.",
}
_FILL = {"fill": _Fill}
_AUTO = {"interpolation": INTERPOLATION, "fill": _Fill}

ENTRIES = (
    _batched(
        "RandomHorizontalFlip",
        "Flips an image horizontally with probability p.",
        "For photographs and other images that look alike in a mirror.",
        when_not="For digits, letters and signs: a mirrored one has another meaning, or none.",
        formula="x[c, i, j] ← x[c, i, W-1-j] with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomVerticalFlip",
        "Flips an image vertically with probability p.",
        "For images taken from above or through a microscope.",
        when_not="For photographs, in which things have a top and a bottom.",
        formula="x[c, i, j] ← x[c, H-1-i, j] with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomCrop",
        "Pads an image and cuts a piece of the original size out of it, at a random position.",
        "For small images, with padding 4 for 32×32: the network learns to find things away from the centre.",
        when_not="When the position matters. For large photographs: RandomResizedCrop.",
        formula="x ← pad(x)[:, t:t+H, l:l+W], t and l drawn evenly",
        types={
            "size": _Size,
            "padding": _Sides,
            "fill": _Fill,
            "padding_mode": Literal["constant", "edge", "reflect"],
        },
        inferred=SIZE,
        helps={
            "size": "Height and width of the piece; by default those of the images.",
            "padding": "Pixels on all sides; on left/right and top/bottom; or on left, top, right and bottom.",
            "padding_mode": "Padding with fill (constant), the repeated edge (edge), or mirrored pixels (reflect).",
            "fill": "Value of the padding: 0 to 255 for uint8 pixels.",
        },
    ),
    _each(
        "RandomResizedCrop",
        "Cuts out a piece of random size and aspect ratio and resizes it to the size of the images.",
        "For photographs of 64 pixels and more; usual for ImageNet.",
        when_not="For small images: RandomCrop. A piece of 8 % of 32×32 pixels shows too little.",
        formula="x ← resize(x[:, t:t+h, l:l+w], size)\nh·w = scale·H·W, w/h = ratio",
        types={"size": _Size, "scale": _Pair, "ratio": _Pair, "interpolation": INTERPOLATION},
        inferred=SIZE,
        hidden=frozenset({"antialias"}),
    ),
    _batched(
        "RandomRotation",
        "Rotates an image by a random angle about its centre.",
        "For things that are seen at any angle; 10 to 15 degrees for handwriting.",
        when_not="For digits above 30 degrees: a 6 becomes a 9.",
        formula="x ← rotate(x, θ), θ ~ U(-degrees, degrees)",
        types={
            "degrees": Annotated[float, Ge(0)] | tuple[float, float],
            "interpolation": Literal["nearest", "bilinear"],
            "fill": _Fill,
        },
        helps=_AFFINE_HELPS,
    ),
    _batched(
        "RandomAffine",
        "Rotates, shifts, scales and shears an image by random amounts.",
        "For handwriting and drawings, with small values.",
        when_not="For one of these changes alone: RandomRotation or RandomCrop.",
        formula="x(p) ← x(A⁻¹·(p - t)), A = rotate(θ)·shear(φ)·scale",
        types={
            "degrees": Annotated[float, Ge(0)] | tuple[float, float],
            "translate": tuple[_Share, _Share],
            "scale": _Pair,
            "shear": Annotated[float, Ge(0)] | tuple[float, float],
            "interpolation": Literal["nearest", "bilinear"],
            "fill": _Fill,
        },
        helps={
            **_AFFINE_HELPS,
            "translate": "Largest horizontal and vertical shift, as shares of the width and the height.",
            "scale": "Smallest and largest factor of the size.",
            "shear": "Shear angle: between -shear and shear degrees, or between these two values.",
        },
    ),
    _each(
        "RandomPerspective",
        "Distorts an image as if it were seen from a random side.",
        "For signs and other things that a camera sees at an angle.",
        when_not="For scans and drawings: RandomAffine is enough.",
        formula="x(p) ← x(H·p), H from four corners moved at random",
        types={"distortion_scale": _Share, "p": _Share, "interpolation": INTERPOLATION, **_FILL},
    ),
    _batched(
        "ColorJitter",
        "Changes brightness, contrast and saturation by random factors.",
        "For photographs in changing light, with 0.2 to 0.4 for each.",
        when_not="When the classes differ by colour.",
        formula="x ← clamp(f·x), then f·x + (1-f)·mean, then f·x + (1-f)·grey\nf ~ U(1-v, 1+v)",
        types={"brightness": _Strength, "contrast": _Strength, "saturation": _Strength},
        helps={
            "brightness": "The factor lies between 1-v and 1+v, or between these two values.",
            "contrast": "As brightness, around the mean of the image.",
            "saturation": "As brightness, around the grey image; for images of three channels only.",
        },
    ),
    _batched(
        "RandomGrayscale",
        "Converts an image to grey with probability p.",
        "When a network should learn shapes rather than colours.",
        when_not="For images of one channel: it has no effect.",
        formula="x ← 0.2989·R + 0.587·G + 0.114·B with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomInvert",
        "Inverts an image with probability p.",
        "For drawings and letters that can be dark on light or light on dark.",
        when_not="For photographs: no camera takes negatives.",
        formula="x ← 255 - x with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomErasing",
        "Erases a random rectangle of an image with probability p (Zhong et al., 2017).",
        "When things may be partly hidden; after crops and flips.",
        when_not="For images of a few pixels: too little would be left.",
        formula="x[:, t:t+h, l:l+w] ← value with probability p\nh·w = scale·H·W, h/w = ratio",
        types={"p": _Share, "scale": tuple[_Share, _Share], "ratio": _Pair, "value": _Fill},
        helps={
            **_PROBABILITY,
            "scale": "Smallest and largest share of the area that is erased.",
            "ratio": "Smallest and largest ratio of the rectangle's height to its width.",
            "value": "Value of the erased pixels: 0 to 255 for uint8 pixels.",
        },
    ),
    _each(
        "GaussianBlur",
        "Blurs an image by a random amount.",
        "For images that may be out of focus.",
        when_not="For small images: too little detail is left.",
        formula="x ← x * G(σ), σ ~ U(sigma)",
        types={"kernel_size": Annotated[int, Ge(1)] | tuple[int, int], "sigma": _Positive | _Pair},
        helps={"sigma": "Standard deviation of the blur in pixels, or its smallest and largest value."},
    ),
    _each(
        "RandomAdjustSharpness",
        "Sharpens or blurs an image with probability p.",
        "For images from different cameras.",
        when_not="Together with GaussianBlur: one of them is enough.",
        formula="x ← f·x + (1-f)·smooth(x) with probability p",
        types={"sharpness_factor": Annotated[float, Ge(0)], "p": _Share},
    ),
    _each(
        "RandomAutocontrast",
        "Stretches the values of an image over the full range with probability p.",
        "For images that are too dark or too pale.",
        when_not="For images that use the full range: it has no effect.",
        formula="x ← (x - min) / (max - min) with probability p",
        types={"p": _Share},
    ),
    _each(
        "RandomEqualize",
        "Equalizes the histogram of an image with probability p.",
        "For X-rays and images in unusual light.",
        when_not="For pixels that are not uint8, which it does not accept.",
        formula="x ← CDF(x) with probability p",
        types={"p": _Share},
    ),
    _each(
        "RandomPosterize",
        "Reduces the pixels of an image to a few bits with probability p.",
        "To use one transform of RandAugment without the others.",
        when_not="For pixels that are not uint8, which it does not accept.",
        formula="x ← x with all but its first bits at 0, with probability p",
        types={"bits": Annotated[int, Ge(1), Le(8)], "p": _Share},
    ),
    _each(
        "RandomSolarize",
        "Inverts the bright pixels of an image with probability p.",
        "To use one transform of RandAugment without the others.",
        when_not="As the first augmentation: flips and crops help more.",
        formula="x ← 255 - x where x ≥ threshold, with probability p",
        types={"threshold": _Fill, "p": _Share},
    ),
    _each(
        "ElasticTransform",
        "Moves the pixels of an image by a smooth random field, as on rubber (Simard et al., 2003).",
        "For handwriting and images of tissue.",
        when_not="For things with straight edges.",
        formula="x(p) ← x(p + α·(noise * G(σ)))",
        types={"alpha": _Positive, "sigma": _Positive, "interpolation": INTERPOLATION, **_FILL},
    ),
    _each(
        "RandAugment",
        "Applies num_ops of fourteen transforms, drawn at random, with one strength (Cubuk et al., 2019).",
        "When two parameters, num_ops and magnitude, should replace a list of augmentations.",
        when_not="For small datasets of digits or signs: some of the transforms rotate and shear.",
        formula="x ← T_n(… T_1(x)), T drawn evenly, strength magnitude",
        types={
            "num_ops": Annotated[int, Ge(1)],
            "magnitude": Annotated[int, Ge(0), Le(30)],
            "num_magnitude_bins": Annotated[int, Ge(2)],
            **_AUTO,
        },
    ),
    _each(
        "TrivialAugmentWide",
        "Applies one of fourteen transforms with a random strength (Müller and Hutter, 2021).",
        "As RandAugment, without parameters to tune: a good first choice for photographs.",
        when_not="For digits and signs: some of the transforms rotate and shear.",
        formula="x ← T(x), T and its strength drawn evenly",
        types={"num_magnitude_bins": Annotated[int, Ge(2)], **_AUTO},
    ),
    _each(
        "AutoAugment",
        "Applies pairs of transforms found by search on ImageNet, CIFAR-10 or SVHN (Cubuk et al., 2018).",
        "For images like those of the dataset that it was found on.",
        when_not="For other images: TrivialAugmentWide, which was not fitted to a dataset.",
        formula="x ← T_2(T_1(x)), a pair drawn from those of the policy",
        types={"policy": Literal["imagenet", "cifar10", "svhn"], **_AUTO},
    ),
    _each(
        "AugMix",
        "Blends an image with chains of transformed ones (Hendrycks et al., 2019).",
        "When the network will be used on images with noise, fog or blur.",
        when_not="When training must be fast: it takes the most time of all.",
        formula="x ← m·x + (1-m)·Σ w_k·chain_k(x)",
        types={
            "severity": Annotated[int, Ge(1), Le(10)],
            "mixture_width": Annotated[int, Ge(1)],
            "alpha": _Positive,
            **_AUTO,
        },
    ),
    _ours(
        "WordDropout",
        TEXTS,
        "Replaces tokens by the token of an unknown word with probability p.",
        "For text, with p from 0.1 to 0.3, so that single words do not decide.",
        when_not="For language models: they would learn to predict the unknown word.",
        formula="token ← <unknown> with probability p, never padding",
        types={"p": _Share},
        helps={"p": "Probability that a token is replaced."},
    ),
    _ours(
        "Jitter",
        NUMBERS,
        "Adds normal noise to every number of a sequence or a row of a table.",
        "For series and tables of measurements from sensors.",
        when_not="When the numbers are exact, or their noise is much smaller.",
        formula="x ← x + std·ε, ε ~ N(0, 1)",
        types={"std": Annotated[float, Ge(0)]},
        helps={"std": "Standard deviation of the noise; standardized features have a standard deviation of 1."},
    ),
    _ours(
        "Scaling",
        NUMBERS,
        "Multiplies each feature of a sample by a random factor near 1.",
        "For series whose shape matters and whose scale does not.",
        when_not="For forecasting: the scale of the target is not changed.",
        formula="x ← x·(1 + std·ε), one ε for each feature of a sample",
        types={"std": Annotated[float, Ge(0)]},
        helps={"std": "Standard deviation of the factors."},
    ),
)
