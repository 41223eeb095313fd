"""Augmentations: what changes training samples anew each time. https://docs.pytorch.org/vision/stable/transforms.html"""

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
"""What an augmentation is for: its group."""

OURS = "engine.data.augmentation"
V2 = "torchvision.transforms.v2"


def _batched(name: str, summary: str, when: str, **more: Any) -> Entry:
    """One that is applied to whole batches."""
    return Entry(
        kind="augmentations", name=name, torch_name=f"{V2}.{name}", signature_of=f"{OURS}.{name}", group=IMAGES,
        summary=summary, when=when, **more,
    )  # fmt: skip


def _each(name: str, summary: str, when: str, **more: Any) -> Entry:
    """One of torchvision's that is applied to one image after the other."""
    when_not = f"{more.pop('when_not')} It is applied image by image, which a GPU has to wait for."
    return Entry(
        kind="augmentations", name=name, torch_name=f"{V2}.{name}", group=IMAGES, summary=summary, when=when,
        when_not=when_not, **more,
    )  # fmt: skip


def _ours(name: str, group: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(
        kind="augmentations", name=name, torch_name=f"{OURS}.{name}", group=group, summary=summary, when=when, **more
    )


_PROBABILITY = {"p": "Share of the images that are changed."}
_AFFINE_HELPS = {
    "interpolation": "How pixels between pixels are told: the nearest one, or a blend of the four around.",
    "degrees": "Turned by up to this many degrees either way, or between these two.",
    "fill": "What comes in from outside: 0 to 255 for pixels of whole numbers.",
}
_FILL = {"fill": _Fill}
_AUTO = {"interpolation": INTERPOLATION, "fill": _Fill}

ENTRIES = (
    _batched(
        "RandomHorizontalFlip",
        "Mirrors half of the images left to right.",
        "For photographs and whatever else looks the same in a mirror.",
        when_not="For digits, letters and signs: a mirrored one is another one, or none.",
        formula="x[c, i, j] ← x[c, i, W-1-j] with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomVerticalFlip",
        "Mirrors half of the images top to bottom.",
        "For pictures from above or through a microscope.",
        when_not="For photographs of a world with an up and a down.",
        formula="x[c, i, j] ← x[c, H-1-i, j] with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomCrop",
        "Pads an image and cuts a piece of the old size out of it, at a random place.",
        "For small images, with padding 4 for 32×32: things need not stand in the middle.",
        when_not="Where position is what matters. For large photographs RandomResizedCrop.",
        formula="x ← pad(x)[:, t:t+H, l:l+W], t and l drawn evenly",
        types={
            "size": _Size,
            "padding": _Sides,
            "fill": _Fill,
            "padding_mode": Literal["constant", "edge", "reflect"],
        },
        inferred=SIZE,
        helps={
            "size": "Height and width of the piece: that of the images, which is taken where it is left out.",
            "padding": "Pixels on each side: one number for all, two for across and down, four from the left round.",
            "padding_mode": "What is padded with: constant is fill, edge repeats the edge, reflect mirrors at it.",
            "fill": "What is padded with: 0 to 255 for pixels of whole numbers.",
        },
    ),
    _each(
        "RandomResizedCrop",
        "Cuts a piece of random size and proportions and enlarges it to the size of the images.",
        "For photographs of 64 pixels and more: the usual one for ImageNet.",
        when_not="For small images RandomCrop: a piece of 8 % of 32×32 shows nothing.",
        formula="x ← resize(x[:, t:t+h, l:l+w], size)\nh·w = scale·H·W, w/h = ratio",
        types={"size": _Size, "scale": _Pair, "ratio": _Pair, "interpolation": INTERPOLATION},
        inferred=SIZE,
        hidden=frozenset({"antialias"}),
    ),
    _batched(
        "RandomRotation",
        "Turns an image by a random angle about its centre.",
        "Things that are seen at any angle; 10 to 15 degrees for handwriting.",
        when_not="Beyond 30 degrees for digits: a 6 becomes a 9.",
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
        "Turns, shifts, scales and leans an image by random amounts.",
        "For handwriting and drawings, with little of each.",
        when_not="Where only one of them is meant: RandomRotation, RandomCrop.",
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
            "translate": "The most that it is shifted across and down, as shares of its size.",
            "scale": "The least and the most of its size.",
            "shear": "Leans by up to this many degrees either way, or between these two.",
        },
    ),
    _each(
        "RandomPerspective",
        "Looks at an image from a random side.",
        "For signs and things that a camera sees at an angle.",
        when_not="For scans and drawings: RandomAffine is enough.",
        formula="x(p) ← x(H·p), H from four corners moved at random",
        types={"distortion_scale": _Share, "p": _Share, "interpolation": INTERPOLATION, **_FILL},
    ),
    _batched(
        "ColorJitter",
        "Changes brightness, contrast and saturation by random factors.",
        "For photographs in changing light; 0.2 to 0.4 each.",
        when_not="Where the colour is what tells the classes apart.",
        formula="x ← clamp(f·x), then f·x + (1-f)·mean, then f·x + (1-f)·grey\nf ~ U(1-v, 1+v)",
        types={"brightness": _Strength, "contrast": _Strength, "saturation": _Strength},
        helps={
            "brightness": "The factor lies between 1-v and 1+v; or the least and the most of it.",
            "contrast": "As brightness, about the mean of the image.",
            "saturation": "As brightness, about its grey; images of three channels only.",
        },
    ),
    _batched(
        "RandomGrayscale",
        "Takes the colour from some of the images.",
        "When a network should look at shape rather than colour.",
        when_not="For images of one channel: it does nothing.",
        formula="x ← 0.2989·R + 0.587·G + 0.114·B with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomInvert",
        "Makes negatives of some of the images.",
        "Drawings and letters that come dark on light and light on dark.",
        when_not="For photographs: no lens ever sees one.",
        formula="x ← 255 - x with probability p",
        types={"p": _Share},
        helps=_PROBABILITY,
    ),
    _batched(
        "RandomErasing",
        "Blots out a random rectangle of some of the images (Zhong et al., 2017).",
        "When things may be half hidden; after crops and flips.",
        when_not="For images of a few pixels, of which little would be left.",
        formula="x[:, t:t+h, l:l+w] ← value with probability p\nh·w = scale·H·W, h/w = ratio",
        types={"p": _Share, "scale": tuple[_Share, _Share], "ratio": _Pair, "value": _Fill},
        helps={
            **_PROBABILITY,
            "scale": "The least and the most of the area that is blotted out.",
            "ratio": "The least and the most of the rectangle's height by its width.",
            "value": "What it is filled with: 0 to 255 for pixels of whole numbers.",
        },
    ),
    _each(
        "GaussianBlur",
        "Blurs an image by a random amount.",
        "Where pictures may be out of focus.",
        when_not="For small images: little is left to see.",
        formula="x ← x * G(σ), σ ~ U(sigma)",
        types={"kernel_size": Annotated[int, Ge(1)] | tuple[int, int], "sigma": _Positive | _Pair},
        helps={"sigma": "Standard deviation of the blur in pixels, or the least and the most of it."},
    ),
    _each(
        "RandomAdjustSharpness",
        "Sharpens or blurs some of the images.",
        "Pictures from cameras of many kinds.",
        when_not="Beside GaussianBlur: one of them is enough.",
        formula="x ← f·x + (1-f)·smooth(x) with probability p",
        types={"sharpness_factor": Annotated[float, Ge(0)], "p": _Share},
    ),
    _each(
        "RandomAutocontrast",
        "Stretches the values of some of the images over the whole range.",
        "Pictures that are too dark or too pale.",
        when_not="For images that use the whole range: it does nothing.",
        formula="x ← (x - min) / (max - min) with probability p",
        types={"p": _Share},
    ),
    _each(
        "RandomEqualize",
        "Evens out the histogram of some of the images.",
        "X-rays, and pictures in odd light.",
        when_not="For pixels that are no whole numbers: it takes bytes.",
        formula="x ← CDF(x) with probability p",
        types={"p": _Share},
    ),
    _each(
        "RandomPosterize",
        "Keeps a few bits of every pixel of some of the images.",
        "As a part of what RandAugment does, by itself.",
        when_not="For pixels that are no whole numbers: it takes bytes.",
        formula="x ← x with all but its first bits at 0, with probability p",
        types={"bits": Annotated[int, Ge(1), Le(8)], "p": _Share},
    ),
    _each(
        "RandomSolarize",
        "Inverts the bright pixels of some of the images.",
        "As a part of what RandAugment does, by itself.",
        when_not="First of all: flips and crops help more.",
        formula="x ← 255 - x where x ≥ threshold, with probability p",
        types={"threshold": _Fill, "p": _Share},
    ),
    _each(
        "ElasticTransform",
        "Bends an image as if it were drawn on rubber (Simard et al., 2003).",
        "For handwriting and tissue.",
        when_not="For things with straight edges.",
        formula="x(p) ← x(p + α·(noise * G(σ)))",
        types={"alpha": _Positive, "sigma": _Positive, "interpolation": INTERPOLATION, **_FILL},
    ),
    _each(
        "RandAugment",
        "A few transforms, drawn from fourteen, each of one strength (Cubuk et al., 2019).",
        "When you would rather turn two knobs than choose: num_ops and magnitude.",
        when_not="For small sets of digits or signs: some of the fourteen turn and bend.",
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
        "One transform, drawn from fourteen, of a random strength (Müller and Hutter, 2021).",
        "As RandAugment, with no knob to turn: a good first choice for photographs.",
        when_not="For digits and signs: some of the fourteen turn and bend.",
        formula="x ← T(x), T and its strength drawn evenly",
        types={"num_magnitude_bins": Annotated[int, Ge(2)], **_AUTO},
    ),
    _each(
        "AutoAugment",
        "Pairs of transforms that were found by search on ImageNet, CIFAR-10 or SVHN (Cubuk et al., 2018).",
        "On images like those that it was found on.",
        when_not="For others TrivialAugmentWide, which was not fitted to any.",
        formula="x ← T_2(T_1(x)), a pair drawn from those of the policy",
        types={"policy": Literal["imagenet", "cifar10", "svhn"], **_AUTO},
    ),
    _each(
        "AugMix",
        "Blends an image with chains of transformed ones (Hendrycks et al., 2019).",
        "When the network will meet noise, fog and blur that it was not trained on.",
        when_not="For speed: it is the dearest of all.",
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
        "Puts the mark of an unknown word in place of some tokens.",
        "For text, so that no single word decides; 0.1 to 0.3.",
        when_not="For language models: the words are what they learn.",
        formula="token ← <unknown> with probability p, never padding",
        types={"p": _Share},
        helps={"p": "Share of the tokens that are replaced."},
    ),
    _ours(
        "Jitter",
        NUMBERS,
        "Adds normal noise to every number of a sequence or a row.",
        "For series and tables from sensors, whose noise is like it.",
        when_not="Where the numbers are exact, or no noise of that size is in them.",
        formula="x ← x + std·ε, ε ~ N(0, 1)",
        types={"std": Annotated[float, Ge(0)]},
        helps={"std": "Standard deviation of the noise; the features' own is 1 where they are standardised."},
    ),
    _ours(
        "Scaling",
        NUMBERS,
        "Multiplies each feature of a sample by a random factor about 1.",
        "For series whose shape matters and whose size does not.",
        when_not="For forecasts: the target keeps its size.",
        formula="x ← x·(1 + std·ε), one ε for each feature of a sample",
        types={"std": Annotated[float, Ge(0)]},
        helps={"std": "Standard deviation of the factors."},
    ),
)
