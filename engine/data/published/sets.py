"""torchvision's sets of labelled images as a table: one row a set, which becomes a source of the same name.

A row states what a document can be checked with before anything is downloaded. Where a set comes from and how its
files are read is torchvision's business: https://docs.pytorch.org/vision/stable/datasets.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

Arguments = Mapping[str, Mapping[str, Any]]
"""Arguments of torchvision's class for each published part: train, validation, test."""

TRAIN_FLAG: Arguments = {"train": {"train": True}, "test": {"train": False}}
TRAIN_TEST: Arguments = {"train": {"split": "train"}, "test": {"split": "test"}}
TRAIN_VAL_TEST: Arguments = {"train": {"split": "train"}, "validation": {"split": "val"}, "test": {"split": "test"}}
UNDIVIDED: Arguments = {"train": {}}


class Counts(NamedTuple):
    """Number of samples of each published part."""

    train: int
    validation: int = 0
    test: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What one value of an option changes; None leaves the set's own."""

    classes: int | None = None
    samples: Counts | None = None
    files: tuple[str, ...] | None = None
    target: str = ""
    """Prefix of the labels' attribute in torchvision's class: `bin_` for `_bin_labels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A parameter that only this set has."""

    name: str
    annotation: Any
    default: Any
    description: str
    argument: str = ""
    """The argument of torchvision's class that gets the value; empty where there is none."""
    variants: Mapping[Any, Variant] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSet:
    """One of torchvision's sets for classification."""

    name: str
    torch_name: str
    """The class in torchvision.datasets."""
    reference: str
    summary: str
    when: str
    classes: int
    samples: Counts
    megabytes: float
    """Size of the download, roughly."""
    files: tuple[str, ...] = ()
    """Files or folders below the root that exist once the set is downloaded."""
    parts: Arguments = field(default_factory=lambda: TRAIN_TEST)
    shape: tuple[int, int, int] | None = None
    """(C, H, W) of an image; None for image files of any size, which are resized."""
    size: int = 224
    """Default side in pixels that image files are resized to."""
    option: Option | None = None


def _idx(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/raw/{name}" for name in names)


def _in(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


_MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_QMNIST = ("train-images-idx3-ubyte", "train-labels-idx2-int", "test-images-idx3-ubyte", "test-labels-idx2-int")
_EMNIST = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")
_CLIP = "A. Radford et al.: Learning Transferable Visual Models From Natural Language Supervision, 2021."
_TINY_IMAGES = "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009."


def _emnist(split: str, classes: int, train: int, test: int) -> Variant:
    files = _idx("EMNIST", *(f"emnist-{split}-{kind}-ubyte" for kind in _EMNIST))
    return Variant(classes=classes, samples=Counts(train, test=test), files=files)


_EMNIST_SPLIT = Option(
    name="split",
    annotation=Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"],
    default="balanced",
    description="One of the six published splits; balanced has equally many samples of each of 47 classes.",
    argument="split",
    variants={
        "balanced": _emnist("balanced", 47, 112_800, 18_800),
        "byclass": _emnist("byclass", 62, 697_932, 116_323),
        "bymerge": _emnist("bymerge", 47, 697_932, 116_323),
        # Letters are numbered from 1, so their class 0 is empty.
        "letters": _emnist("letters", 27, 124_800, 20_800),
        "digits": _emnist("digits", 10, 240_000, 40_000),
        "mnist": _emnist("mnist", 10, 60_000, 10_000),
    },
)
_PET_TARGETS = Option(
    name="target_types",
    annotation=Literal["category", "binary-category"],
    default="category",
    description="category: the breed. binary-category: cat or dog.",
    variants={"category": Variant(), "binary-category": Variant(classes=2, target="bin_")},
)
_DTD_PARTITION = Option(
    name="partition",
    annotation=Annotated[int, Field(ge=1, le=10)],
    default=1,
    description="One of the ten published partitions into train, validation and test.",
    argument="partition",
)
_AIRCRAFT_LEVEL = Option(
    name="annotation_level",
    annotation=Literal["variant", "family", "manufacturer"],
    default="variant",
    description="What the classes are.",
    argument="annotation_level",
    variants={"variant": Variant(classes=100), "family": Variant(classes=70), "manufacturer": Variant(classes=30)},
)
_IMAGENETTE_SIZE = Option(
    name="published_size",
    annotation=Literal["160px", "320px", "full"],
    default="160px",
    description="Which published version: the shorter side of its photos. full is 1.6 GB.",
    argument="size",
    variants={
        "160px": Variant(files=_in("imagenette2-160", "train", "val")),
        "320px": Variant(files=_in("imagenette2-320", "train", "val")),
        "full": Variant(files=_in("imagenette2", "train", "val")),
    },
)

# fmt: off
PUBLISHED_SETS: tuple[PublishedSet, ...] = (
    PublishedSet(
        name="mnist", torch_name="MNIST", classes=10, shape=(1, 28, 28), megabytes=11, parts=TRAIN_FLAG,
        samples=Counts(60_000, test=10_000), files=_idx("MNIST", *_MNIST),
        reference="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits, 1998.",
        summary="70,000 handwritten digits of 28×28 grey pixels, in ten classes.",
        when="For a first CNN: a small one reaches 99 % within minutes on a CPU.",
    ),
    PublishedSet(
        name="fashion-mnist", torch_name="FashionMNIST", classes=10, shape=(1, 28, 28), megabytes=31, parts=TRAIN_FLAG,
        samples=Counts(60_000, test=10_000), files=_idx("FashionMNIST", *_MNIST),
        reference="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, https://arxiv.org/abs/1708.07747",
        summary="70,000 images of clothes of 28×28 grey pixels, in ten classes.",
        when="When MNIST is too easy to show a difference between two networks.",
    ),
    PublishedSet(
        name="kmnist", torch_name="KMNIST", classes=10, shape=(1, 28, 28), megabytes=21, parts=TRAIN_FLAG,
        samples=Counts(60_000, test=10_000), files=_idx("KMNIST", *_MNIST),
        reference="T. Clanuwat et al.: Deep Learning for Classical Japanese Literature, https://arxiv.org/abs/1812.01718",
        summary="70,000 handwritten characters of classical Japanese of 28×28 grey pixels, in ten classes.",
        when="When MNIST is too easy: each class has several shapes.",
    ),
    PublishedSet(
        name="emnist", torch_name="EMNIST", classes=47, shape=(1, 28, 28), megabytes=562, parts=TRAIN_FLAG,
        samples=Counts(112_800, test=18_800), option=_EMNIST_SPLIT,
        reference="G. Cohen et al.: EMNIST, https://arxiv.org/abs/1702.05373. Images are transposed, as published.",
        summary="Handwritten digits and letters of 28×28 grey pixels, in 10 to 62 classes.",
        when="To classify letters, with many more classes and samples than MNIST has.",
    ),
    PublishedSet(
        name="qmnist", torch_name="QMNIST", classes=10, shape=(1, 28, 28), megabytes=21, parts=TRAIN_FLAG,
        samples=Counts(60_000, test=60_000), files=_idx("QMNIST", *(f"qmnist-{name}" for name in _QMNIST)),
        reference="C. Yadav, L. Bottou: Cold Case: The Lost MNIST Digits, https://arxiv.org/abs/1905.10498",
        summary="MNIST reconstructed, with all 60,000 digits of its test part, of 28×28 grey pixels.",
        when="When MNIST's test part is too small or was used too often.",
    ),
    PublishedSet(
        name="usps", torch_name="USPS", classes=10, shape=(1, 16, 16), megabytes=8, parts=TRAIN_FLAG,
        samples=Counts(7_291, test=2_007), files=("usps.bz2", "usps.t.bz2"),
        reference="J. J. Hull: A database for handwritten text recognition research, IEEE PAMI 16(5), 1994.",
        summary="9,298 digits from envelopes of the US mail, of 16×16 grey pixels.",
        when="Small and harder than MNIST; both together are a pair for domain adaptation.",
    ),
    PublishedSet(
        name="semeion", torch_name="SEMEION", classes=10, shape=(1, 16, 16), megabytes=3, parts=UNDIVIDED,
        samples=Counts(1_593), files=("semeion.data",),
        reference="M. Buscema, Semeion Research Center: Semeion Handwritten Digit, UCI Machine Learning Repository.",
        summary="1,593 handwritten digits of 16×16 black or white pixels, without published parts.",
        when="For a first try within seconds.",
    ),
    PublishedSet(
        name="cifar10", torch_name="CIFAR10", classes=10, shape=(3, 32, 32), megabytes=170, parts=TRAIN_FLAG,
        samples=Counts(50_000, test=10_000),
        files=_in("cifar-10-batches-py", "data_batch_1", "data_batch_5", "test_batch"),
        reference=_TINY_IMAGES,
        summary="60,000 photos of 32×32 colour pixels, in ten classes of animals and vehicles.",
        when="The usual benchmark of a small CNN: a ResNet reaches 93 to 95 % with augmentation.",
    ),
    PublishedSet(
        name="cifar100", torch_name="CIFAR100", classes=100, shape=(3, 32, 32), megabytes=169, parts=TRAIN_FLAG,
        samples=Counts(50_000, test=10_000), files=_in("cifar-100-python", "train", "test", "meta"),
        reference=_TINY_IMAGES,
        summary="60,000 photos of 32×32 colour pixels, in a hundred classes.",
        when="Like CIFAR-10, with a tenth of the samples for each class.",
    ),
    PublishedSet(
        name="svhn", torch_name="SVHN", classes=10, shape=(3, 32, 32), megabytes=246,
        samples=Counts(73_257, test=26_032), files=("train_32x32.mat", "test_32x32.mat"),
        reference="Y. Netzer et al.: Reading Digits in Natural Images with Unsupervised Feature Learning, "
        "NIPS Workshop 2011.",
        summary="99,289 photos of house numbers of 32×32 colour pixels; the digit in the middle is the class.",
        when="For digits in photos, with neighbouring digits and uneven light.",
    ),
    PublishedSet(
        name="stl10", torch_name="STL10", classes=10, shape=(3, 96, 96), megabytes=2_640,
        samples=Counts(5_000, test=8_000),
        files=tuple(f"stl10_binary/{name}.bin" for name in ("train_X", "train_y", "test_X", "test_y")),
        reference="A. Coates, H. Lee, A. Y. Ng: An Analysis of Single Layer Networks in Unsupervised Feature Learning, "
        "2011.",
        summary="13,000 labelled photos of 96×96 colour pixels, in ten classes.",
        when="To learn from few samples: 500 training samples of each class.",
    ),
    PublishedSet(
        name="gtsrb", torch_name="GTSRB", classes=43, size=32, megabytes=276,
        samples=Counts(26_640, test=12_630),
        files=("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test", "gtsrb/GT-final_test.csv"),
        reference="J. Stallkamp et al.: Man vs. computer: Benchmarking machine learning algorithms for traffic sign "
        "recognition.",
        summary="39,270 photos of German traffic signs of any size, in 43 classes.",
        when="For imbalanced classes and bad light; small images are enough.",
    ),
    PublishedSet(
        name="flowers102", torch_name="Flowers102", classes=102, megabytes=345, parts=TRAIN_VAL_TEST,
        samples=Counts(1_020, 1_020, 6_149), files=_in("flowers-102", "jpg", "imagelabels.mat", "setid.mat"),
        reference="M.-E. Nilsback, A. Zisserman: Automated flower classification over a large number of classes, 2008.",
        summary="8,189 photos of flowers, in 102 classes: ten of each to train on and ten to validate.",
        when="To fine-tune a pretrained network on very few samples of a class.",
    ),
    PublishedSet(
        name="oxford-iiit-pet", torch_name="OxfordIIITPet", classes=37, megabytes=811, option=_PET_TARGETS,
        parts={"train": {"split": "trainval"}, "test": {"split": "test"}},
        samples=Counts(3_680, test=3_669), files=_in("oxford-iiit-pet", "images", "annotations"),
        reference="O. M. Parkhi et al.: Cats and Dogs, CVPR 2012.",
        summary="7,349 photos of cats and dogs, in 37 breeds.",
        when="To fine-tune a pretrained network on classes that look alike.",
    ),
    PublishedSet(
        name="food101", torch_name="Food101", classes=101, megabytes=4_996,
        samples=Counts(75_750, test=25_250), files=_in("food-101", "images", "meta"),
        reference="L. Bossard, M. Guillaumin, L. Van Gool: Food-101, ECCV 2014. "
        "The training part has wrong labels on purpose.",
        summary="101,000 photos of dishes, in 101 classes of 1,000.",
        when="For a large set of photos; use a GPU.",
    ),
    PublishedSet(
        name="dtd", torch_name="DTD", classes=47, megabytes=625, parts=TRAIN_VAL_TEST, option=_DTD_PARTITION,
        samples=Counts(1_880, 1_880, 1_880), files=_in("dtd/dtd", "images", "labels"),
        reference="M. Cimpoi et al.: Describing Textures in the Wild, CVPR 2014.",
        summary="5,640 photos of textures, in 47 classes, in three equal parts.",
        when="To classify surfaces instead of objects.",
    ),
    PublishedSet(
        name="eurosat", torch_name="EuroSAT", classes=10, size=64, megabytes=94, parts=UNDIVIDED,
        samples=Counts(27_000), files=("eurosat/2750",),
        reference="P. Helber et al.: EuroSAT, IEEE J-STARS 2019. It has no published parts.",
        summary="27,000 satellite images of 64×64 colour pixels, in ten kinds of land, without published parts.",
        when="For images from above, which can be flipped and rotated freely.",
    ),
    PublishedSet(
        name="fgvc-aircraft", torch_name="FGVCAircraft", classes=100, megabytes=2_754, parts=TRAIN_VAL_TEST,
        samples=Counts(3_334, 3_333, 3_333), files=("fgvc-aircraft-2013b/data",), option=_AIRCRAFT_LEVEL,
        reference="S. Maji et al.: Fine-Grained Visual Classification of Aircraft, https://arxiv.org/abs/1306.5151",
        summary="10,000 photos of aircraft, in 100 variants, 70 families or 30 manufacturers.",
        when="For classes that differ in details.",
    ),
    PublishedSet(
        name="country211", torch_name="Country211", classes=211, megabytes=11_490,
        parts={**TRAIN_VAL_TEST, "validation": {"split": "valid"}},
        samples=Counts(31_650, 10_550, 21_100), files=_in("country211", "train", "valid", "test"),
        reference=_CLIP,
        summary="63,300 photos from 211 countries.",
        when="To see how little a photo tells about its country; large.",
    ),
    PublishedSet(
        name="rendered-sst2", torch_name="RenderedSST2", classes=2, megabytes=132, parts=TRAIN_VAL_TEST,
        samples=Counts(6_920, 872, 1_821), files=_in("rendered-sst2", "train", "valid", "test"),
        reference=_CLIP,
        summary="9,613 sentences of film reviews as images: positive or negative.",
        when="To see whether an image network can read text.",
    ),
    PublishedSet(
        name="imagenette", torch_name="Imagenette", classes=10, megabytes=99, option=_IMAGENETTE_SIZE,
        parts={"train": {"split": "train"}, "validation": {"split": "val"}}, samples=Counts(9_469, 3_925),
        reference="J. Howard: Imagenette, https://github.com/fastai/imagenette. It has no test part.",
        summary="13,394 photos of ten classes of ImageNet that are easy to distinguish.",
        when="To try within minutes what is intended for ImageNet.",
    ),
    PublishedSet(
        name="sun397", torch_name="SUN397", classes=397, megabytes=39_000, parts=UNDIVIDED,
        samples=Counts(108_754), files=("SUN397/ClassName.txt",),
        reference="J. Xiao et al.: SUN Database, CVPR 2010. It has no published parts.",
        summary="108,754 photos of places, in 397 classes, without published parts.",
        when="To classify scenes instead of objects; very large.",
    ),
    PublishedSet(
        name="stanford-cars", torch_name="StanfordCars", classes=196, megabytes=1_950,
        samples=Counts(8_144, test=8_041),
        files=_in("stanford_cars", "devkit", "cars_train", "cars_test", "cars_test_annos_withlabels.mat"),
        reference="J. Krause et al.: 3D Object Representations for Fine-Grained Categorization, 2013. "
        "Its server is offline.",
        summary="16,185 photos of cars, in 196 models; torchvision can no longer download it.",
        when="If you have its files: for classes that differ in details.",
    ),
)
# fmt: on
