"""torchvision's sets of labelled images, by the names of its classes in lower case.

What is declared here is what a document can be checked with before anything is downloaded: shapes, classes, how many
samples there are. Where a set comes from, how it lies in its folder and how it is read is torchvision's own business:
https://docs.pytorch.org/vision/stable/datasets.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from engine import user_folders
from engine.data.cache import cache_folder
from engine.data.sources.images import Side
from engine.data.sources.source import Source
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, Refused
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.published.load import Published
    from engine.data.splits import Split

FOLDER = "datasets"
TRAIN_OR_TEST: dict[str, dict[str, Any]] = {"train": {"train": True}, "test": {"train": False}}
SPLITS: dict[str, dict[str, Any]] = {"train": {"split": "train"}, "test": {"split": "test"}}
WITH_VALIDATION: dict[str, dict[str, Any]] = {
    "train": {"split": "train"},
    "validation": {"split": "val"},
    "test": {"split": "test"},
}


class Counts(NamedTuple):
    """How many samples each part has that was published."""

    train: int
    validation: int = 0
    test: int = 0


class TorchvisionSet(Source):
    """A set that torchvision can download. The parts that were published stay apart: the test part is the test part."""

    torch_name: ClassVar[str]
    """The class in torchvision.datasets."""
    parts: ClassVar[dict[str, dict[str, Any]]] = SPLITS
    """What that class is asked for each part."""
    shape: ClassVar[tuple[int, int, int]]
    """(C, H, W) of an image."""
    number_of_classes: ClassVar[int]
    samples: ClassVar[Counts]
    megabytes: ClassVar[float]
    """About how much is downloaded."""
    lies_in: ClassVar[tuple[str, ...]]
    """Files or folders below the root that are there when the set is."""

    root: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The folder that torchvision keeps it in; left out, datasets in torchdeck's cache folder.",
        ),
    ] = None
    download: Annotated[bool, Field(description="Fetch it before a run begins, if it is not there.")] = True
    validation_from: Annotated[
        Literal["train", "test"],
        Field(
            description="train: the validation part is drawn from the training part, or is the one that was published. "
            "test: it is the test part, as with validation = 0; there is no test then."
        ),
    ] = "train"

    @classmethod
    def at_hand(cls) -> bool:
        """False: it has to be downloaded."""
        return False

    def files(self) -> tuple[str, ...]:
        """What has to be there."""
        folder = self._folder()
        return tuple(str(folder / name) for name in self.where())

    def where(self) -> tuple[str, ...]:
        """What has to be there, below the root."""
        return self.lies_in

    def asked(self) -> dict[str, dict[str, Any]]:
        """What torchvision's class is asked for each part."""
        return self.parts

    def to_download(self) -> str:
        """A sentence on the download, where the set is not here."""
        if all(map(os.path.exists, self.files())):
            return ""
        return f"Downloading {self.name}, about {self.megabytes:,.0f} MB, to {self._folder()}"

    def contradictions(self, data: Data) -> list[Mistake]:
        """A set that is not here and may not be fetched."""
        if self.download or not self.to_download():
            return []
        found = f"{self.name} is not in {self._folder()}, and data.download is false"
        return [Mistake("data.root", found, "", "Set data.download = true, or name the folder that it is in.")]

    def fetch(self) -> None:
        """Download what is missing.

        Raises:
            Refused: it cannot be had.
        """
        from engine.data.published.load import fetch

        fetch(self._published(), self.megabytes)

    def load(self, split: Split) -> Dataset:
        """Images (C, H, W) of uint8."""
        from engine.data.published.load import load

        if self.to_download():
            found = f"{self.name} is not in {self._folder()} yet"
            fix = f"`torchdeck data {self.name}` downloads it (about {self.megabytes:,.0f} MB), as a run does."
            raise Refused(Mistake("data.root", found, "", fix))
        return load(self._published(), split, validate_on_test=self._validates_on_test(split), keep=self.keeps())

    def outline(self, split: Split) -> Dataset:
        """What is known before it is downloaded."""
        from engine.data.published.load import outline

        return outline(
            self._published(),
            split,
            shape=self.image_shape(),
            classes=self.classes_asked(),
            samples=self.samples_asked(),
            validate_on_test=self._validates_on_test(split),
        )

    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W), with these parameters."""
        return self.shape

    def classes_asked(self) -> int:
        """How many classes there are, with these parameters."""
        return self.number_of_classes

    def samples_asked(self) -> Counts:
        """How many samples each part has, with these parameters."""
        return self.samples

    def keeps(self) -> bool:
        """Whether decoded pixels may be kept."""
        return True

    def _validates_on_test(self, split: Split) -> bool:
        if "test" not in self.asked():
            return False
        return self.validation_from == "test" or (split.validation == 0 and split.fold is None)

    def homeless(self) -> list[Mistake]:
        """Without `root` the cache folder is needed."""
        if self.root is not None or user_folders.cache_folder() is not None:
            return []
        found = f"there is no folder to download to: {user_folders.NO_HOME}"
        return [Mistake("data.root", found, "", "Set data.root to a folder: --set data.root=FOLDER.")]

    def _folder(self) -> Path:
        return expanded(self.root) if self.root is not None else cache_folder() / FOLDER

    def _published(self) -> Published:
        from engine.data.published.load import Published

        return Published(
            source=self.name,
            torch_name=self.torch_name,
            root=self._folder(),
            parts=self.asked(),  # type: ignore[arg-type]
            target=self.target(),
            wanted=self.wanted(),
        )

    def target(self) -> str:
        """Which of several labels are meant."""
        return ""

    def wanted(self) -> Any:
        """What images become, where they come as files of any size."""
        return None


class Files(TorchvisionSet):
    """A set of files, each of its own size, that are brought to one."""

    size: Annotated[
        Side | Annotated[tuple[Side, Side], Field(strict=False)],
        Field(description="Pixels that each image is brought to: a side, or [height, width]."),
    ] = 224
    fit: Annotated[
        Literal["stretch", "crop"],
        Field(description="stretch: the whole image, whatever its proportions. crop: as much of its middle as fits."),
    ] = "stretch"
    cache: Annotated[
        bool, Field(description="Keep decoded pixels in the cache folder, where they fit as those of images do.")
    ] = True

    def image_shape(self) -> tuple[int, int, int]:
        """Of the size that is asked for."""
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return (3, height, width)

    def keeps(self) -> bool:
        """As asked."""
        return self.cache

    def wanted(self) -> Any:
        """The size that is asked for, in colour."""
        from engine.data.images.decoding import Wanted

        return Wanted(self.image_shape()[1:], "colour", crop=self.fit == "crop")


def _idx(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/raw/{name}" for name in names)


_MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class MNIST(TorchvisionSet):
    """Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits, 1998."""

    name = "mnist"
    torch_name = "MNIST"
    summary = "70,000 handwritten digits of 28×28 grey pixels, in ten classes."
    when = "To begin with images: a small CNN reaches 99 % within minutes on a CPU."
    parts = TRAIN_OR_TEST
    shape, number_of_classes, megabytes = (1, 28, 28), 10, 11
    samples = Counts(train=60_000, test=10_000)
    lies_in = _idx("MNIST", *_MNIST)


class FashionMNIST(MNIST):
    """H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, https://arxiv.org/abs/1708.07747"""

    name = "fashion-mnist"
    torch_name = "FashionMNIST"
    summary = "70,000 pictures of clothes of 28×28 grey pixels, in ten classes."
    when = "Where MNIST is too easy to tell two networks apart."
    megabytes = 31
    lies_in = _idx("FashionMNIST", *_MNIST)


class KMNIST(MNIST):
    """T. Clanuwat et al.: Deep Learning for Classical Japanese Literature, https://arxiv.org/abs/1812.01718"""

    name = "kmnist"
    torch_name = "KMNIST"
    summary = "70,000 handwritten characters of classical Japanese of 28×28 grey pixels, in ten classes."
    when = "Where MNIST is too easy: a class has several shapes."
    megabytes = 21
    lies_in = _idx("KMNIST", *_MNIST)


class EMNIST(TorchvisionSet):
    """G. Cohen et al.: EMNIST, https://arxiv.org/abs/1702.05373. Images lie on their side, as they were published."""

    name = "emnist"
    torch_name = "EMNIST"
    summary = "Handwritten digits and letters of 28×28 grey pixels, in 10 to 62 classes."
    when = "To tell letters apart, with many more classes and samples than MNIST has."
    shape, number_of_classes, megabytes = (1, 28, 28), 47, 562
    samples = Counts(train=112_800, test=18_800)
    of_split: ClassVar[dict[str, tuple[int, int, int]]] = {
        "balanced": (47, 112_800, 18_800),
        "byclass": (62, 697_932, 116_323),
        "bymerge": (47, 697_932, 116_323),
        "letters": (27, 124_800, 20_800),
        "digits": (10, 240_000, 40_000),
        "mnist": (10, 60_000, 10_000),
    }
    """Classes, samples to train on and to test; letters are numbered from 1, so that their class 0 is empty."""
    lies_in = ()

    split: Annotated[
        Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"],
        Field(description="Which of the six ways to sort it; balanced has as many samples of each of 47 classes."),
    ] = "balanced"

    def where(self) -> tuple[str, ...]:
        """The files of the split."""
        kinds = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")
        return _idx("EMNIST", *(f"emnist-{self.split}-{kind}-ubyte" for kind in kinds))

    def asked(self) -> dict[str, dict[str, Any]]:
        """The split, for both parts."""
        return {part: {"split": self.split, **which} for part, which in TRAIN_OR_TEST.items()}

    def classes_asked(self) -> int:
        """Of the split."""
        return self.of_split[self.split][0]

    def samples_asked(self) -> Counts:
        """Of the split."""
        _, train, test = self.of_split[self.split]
        return Counts(train, test=test)


class QMNIST(MNIST):
    """C. Yadav, L. Bottou: Cold Case: The Lost MNIST Digits, https://arxiv.org/abs/1905.10498"""

    name = "qmnist"
    torch_name = "QMNIST"
    summary = "MNIST made anew, with all 60,000 digits of its test part, of 28×28 grey pixels."
    when = "Where MNIST's test part is too small, or was looked at too often."
    megabytes = 21
    samples = Counts(train=60_000, test=60_000)
    lies_in = _idx(
        "QMNIST",
        "qmnist-train-images-idx3-ubyte",
        "qmnist-train-labels-idx2-int",
        "qmnist-test-images-idx3-ubyte",
        "qmnist-test-labels-idx2-int",
    )


class USPS(TorchvisionSet):
    """J. J. Hull: A database for handwritten text recognition research, IEEE PAMI 16(5), 1994."""

    name = "usps"
    torch_name = "USPS"
    summary = "9,298 digits from the envelopes of the US mail, of 16×16 grey pixels."
    when = "Small and harder than MNIST; the other half of domain adaptation with it."
    parts = TRAIN_OR_TEST
    shape, number_of_classes, megabytes = (1, 16, 16), 10, 8
    samples = Counts(train=7_291, test=2_007)
    lies_in = ("usps.bz2", "usps.t.bz2")


class SEMEION(TorchvisionSet):
    """M. Buscema, Semeion Research Center: Semeion Handwritten Digit, UCI Machine Learning Repository."""

    name = "semeion"
    torch_name = "SEMEION"
    summary = "1,593 handwritten digits of 16×16 pixels, black or white; no parts were published."
    when = "For a first try within seconds."
    parts: ClassVar[dict[str, dict[str, Any]]] = {"train": {}}
    shape, number_of_classes, megabytes = (1, 16, 16), 10, 3
    samples = Counts(train=1_593)
    lies_in = ("semeion.data",)


class CIFAR10(TorchvisionSet):
    """A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009."""

    name = "cifar10"
    torch_name = "CIFAR10"
    summary = "60,000 photos of 32×32 colour pixels, in ten classes of animals and vehicles."
    when = "The usual measure of a small CNN: a ResNet reaches 93 to 95 % with augmentation."
    parts = TRAIN_OR_TEST
    shape, number_of_classes, megabytes = (3, 32, 32), 10, 170
    samples = Counts(train=50_000, test=10_000)
    lies_in = tuple(f"cifar-10-batches-py/{name}" for name in ("data_batch_1", "data_batch_5", "test_batch"))


class CIFAR100(CIFAR10):
    """A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009."""

    name = "cifar100"
    torch_name = "CIFAR100"
    summary = "60,000 photos of 32×32 colour pixels, in a hundred classes."
    when = "As CIFAR-10, with a tenth of the samples for each class."
    number_of_classes, megabytes = 100, 169
    lies_in = tuple(f"cifar-100-python/{name}" for name in ("train", "test", "meta"))


class SVHN(TorchvisionSet):
    """Y. Netzer et al.: Reading Digits in Natural Images with Unsupervised Feature Learning, NIPS Workshop 2011."""

    name = "svhn"
    torch_name = "SVHN"
    summary = "99,289 photos of house numbers of 32×32 colour pixels; the digit in the middle is the class."
    when = "For digits in the wild, with neighbours and light that mislead."
    shape, number_of_classes, megabytes = (3, 32, 32), 10, 246
    samples = Counts(train=73_257, test=26_032)
    lies_in = ("train_32x32.mat", "test_32x32.mat")


class STL10(TorchvisionSet):
    """A. Coates, H. Lee, A. Y. Ng: An Analysis of Single Layer Networks in Unsupervised Feature Learning, 2011."""

    name = "stl10"
    torch_name = "STL10"
    summary = "13,000 labelled photos of 96×96 colour pixels, in ten classes."
    when = "To learn from few samples: 500 of each class to train on."
    shape, number_of_classes, megabytes = (3, 96, 96), 10, 2_640
    samples = Counts(train=5_000, test=8_000)
    lies_in = tuple(f"stl10_binary/{name}.bin" for name in ("train_X", "train_y", "test_X", "test_y"))


class GTSRB(Files):
    """J. Stallkamp et al.: Man vs. computer: Benchmarking machine learning algorithms for traffic sign recognition."""

    name = "gtsrb"
    torch_name = "GTSRB"
    summary = "39,270 photos of German traffic signs of any size, in 43 classes."
    when = "For unequal classes and bad light; small pictures are enough."
    number_of_classes, megabytes = 43, 276
    samples = Counts(train=26_640, test=12_630)
    lies_in = ("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test", "gtsrb/GT-final_test.csv")
    size: Annotated[
        Side | Annotated[tuple[Side, Side], Field(strict=False)],
        Field(description="Pixels that each image is brought to: a side, or [height, width]."),
    ] = 32


class Flowers102(Files):
    """M.-E. Nilsback, A. Zisserman: Automated flower classification over a large number of classes, 2008."""

    name = "flowers102"
    torch_name = "Flowers102"
    summary = "8,189 photos of flowers, in 102 classes; ten of each to train on and ten to validate."
    when = "To fine-tune a published network on very few samples of a class."
    parts = WITH_VALIDATION
    number_of_classes, megabytes = 102, 345
    samples = Counts(train=1_020, validation=1_020, test=6_149)
    lies_in = tuple(f"flowers-102/{name}" for name in ("jpg", "imagelabels.mat", "setid.mat"))


class OxfordIIITPet(Files):
    """O. M. Parkhi et al.: Cats and Dogs, CVPR 2012."""

    name = "oxford-iiit-pet"
    torch_name = "OxfordIIITPet"
    summary = "7,349 photos of cats and dogs, in 37 breeds."
    when = "To fine-tune a published network on classes that look alike."
    parts: ClassVar[dict[str, dict[str, Any]]] = {"train": {"split": "trainval"}, "test": {"split": "test"}}
    number_of_classes, megabytes = 37, 811
    samples = Counts(train=3_680, test=3_669)
    lies_in = ("oxford-iiit-pet/images", "oxford-iiit-pet/annotations")
    target_types: Annotated[
        Literal["category", "binary-category"], Field(description="category: the breed. binary-category: cat or dog.")
    ] = "category"

    def target(self) -> str:
        """Breeds, or cats and dogs."""
        return "bin_" if self.target_types == "binary-category" else ""

    def classes_asked(self) -> int:
        """Breeds, or cats and dogs."""
        return 2 if self.target_types == "binary-category" else self.number_of_classes


class Food101(Files):
    """L. Bossard, M. Guillaumin, L. Van Gool: Food-101, ECCV 2014. The training part has wrong labels on purpose."""

    name = "food101"
    torch_name = "Food101"
    summary = "101,000 photos of dishes, in 101 classes of 1,000."
    when = "A large set of photos; use a GPU."
    number_of_classes, megabytes = 101, 4_996
    samples = Counts(train=75_750, test=25_250)
    lies_in = ("food-101/images", "food-101/meta")


class DTD(Files):
    """M. Cimpoi et al.: Describing Textures in the Wild, CVPR 2014."""

    name = "dtd"
    torch_name = "DTD"
    summary = "5,640 photos of textures, in 47 classes, in three parts alike."
    when = "To tell surfaces apart instead of things."
    parts = WITH_VALIDATION
    number_of_classes, megabytes = 47, 625
    samples = Counts(train=1_880, validation=1_880, test=1_880)
    lies_in = ("dtd/dtd/images", "dtd/dtd/labels")
    partition: Annotated[int, Field(ge=1, le=10, description="Which of the ten published ways to part it.")] = 1

    def asked(self) -> dict[str, dict[str, Any]]:
        """The partition, for every part."""
        return {part: {"partition": self.partition, **which} for part, which in self.parts.items()}


class EuroSAT(Files):
    """P. Helber et al.: EuroSAT, IEEE J-STARS 2019. No parts were published."""

    name = "eurosat"
    torch_name = "EuroSAT"
    summary = "27,000 satellite pictures of 64×64 colour pixels, in ten kinds of land; no parts were published."
    when = "For pictures from above, which no side is up in."
    parts: ClassVar[dict[str, dict[str, Any]]] = {"train": {}}
    number_of_classes, megabytes = 10, 94
    samples = Counts(train=27_000)
    lies_in = ("eurosat/2750",)
    size: Annotated[
        Side | Annotated[tuple[Side, Side], Field(strict=False)],
        Field(description="Pixels that each image is brought to: a side, or [height, width]."),
    ] = 64


class FGVCAircraft(Files):
    """S. Maji et al.: Fine-Grained Visual Classification of Aircraft, https://arxiv.org/abs/1306.5151"""

    name = "fgvc-aircraft"
    torch_name = "FGVCAircraft"
    summary = "10,000 photos of aircraft, in 100 variants, 70 families or 30 manufacturers."
    when = "For classes that differ in details."
    parts = WITH_VALIDATION
    number_of_classes, megabytes = 100, 2_754
    samples = Counts(train=3_334, validation=3_333, test=3_333)
    lies_in = ("fgvc-aircraft-2013b/data",)
    annotation_level: Annotated[
        Literal["variant", "family", "manufacturer"], Field(description="What the classes are.")
    ] = "variant"

    def asked(self) -> dict[str, dict[str, Any]]:
        """The level, for every part."""
        return {part: {"annotation_level": self.annotation_level, **which} for part, which in self.parts.items()}

    def classes_asked(self) -> int:
        """Of the level."""
        return {"variant": 100, "family": 70, "manufacturer": 30}[self.annotation_level]


class Country211(Files):
    """A. Radford et al.: Learning Transferable Visual Models From Natural Language Supervision, 2021."""

    name = "country211"
    torch_name = "Country211"
    summary = "63,300 photos from 211 countries."
    when = "To see how little a photo says of its place; large."
    parts: ClassVar[dict[str, dict[str, Any]]] = WITH_VALIDATION | {"validation": {"split": "valid"}}
    number_of_classes, megabytes = 211, 11_490
    samples = Counts(train=31_650, validation=10_550, test=21_100)
    lies_in = ("country211/train", "country211/valid", "country211/test")


class RenderedSST2(Files):
    """A. Radford et al.: Learning Transferable Visual Models From Natural Language Supervision, 2021."""

    name = "rendered-sst2"
    torch_name = "RenderedSST2"
    summary = "9,613 sentences of film reviews, as pictures: good or bad."
    when = "To have a network read."
    parts = WITH_VALIDATION
    number_of_classes, megabytes = 2, 132
    samples = Counts(train=6_920, validation=872, test=1_821)
    lies_in = tuple(f"rendered-sst2/{name}" for name in ("train", "valid", "test"))


class Imagenette(Files):
    """J. Howard: Imagenette, https://github.com/fastai/imagenette. It has no test part."""

    name = "imagenette"
    torch_name = "Imagenette"
    summary = "13,394 photos of ten classes of ImageNet that are easy to tell apart."
    when = "To try within minutes what is meant for ImageNet."
    parts: ClassVar[dict[str, dict[str, Any]]] = {"train": {"split": "train"}, "validation": {"split": "val"}}
    number_of_classes, megabytes = 10, 99
    samples = Counts(train=9_469, validation=3_925)
    lies_in = ()
    published_size: Annotated[
        Literal["160px", "320px", "full"],
        Field(description="Which of the published sets: the shorter side of its photos. full is 1.6 GB."),
    ] = "160px"

    def where(self) -> tuple[str, ...]:
        """The folder of that size."""
        folder = "imagenette2" + {"160px": "-160", "320px": "-320", "full": ""}[self.published_size]
        return (f"{folder}/train", f"{folder}/val")

    def asked(self) -> dict[str, dict[str, Any]]:
        """That size, for both parts."""
        return {part: {"size": self.published_size, **which} for part, which in self.parts.items()}


class SUN397(Files):
    """J. Xiao et al.: SUN Database, CVPR 2010. No parts were published."""

    name = "sun397"
    torch_name = "SUN397"
    summary = "108,754 photos of places, in 397 classes; no parts were published."
    when = "To tell scenes apart instead of things; very large."
    parts: ClassVar[dict[str, dict[str, Any]]] = {"train": {}}
    number_of_classes, megabytes = 397, 39_000
    samples = Counts(train=108_754)
    lies_in = ("SUN397/ClassName.txt",)


class StanfordCars(Files):
    """J. Krause et al.: 3D Object Representations for Fine-Grained Categorization, 2013. Its server is gone."""

    name = "stanford-cars"
    torch_name = "StanfordCars"
    summary = "16,185 photos of cars, in 196 models; torchvision cannot download it any more."
    when = "Where you have it: for classes that differ in details."
    number_of_classes, megabytes = 196, 1_950
    samples = Counts(train=8_144, test=8_041)
    lies_in = tuple(
        f"stanford_cars/{name}" for name in ("devkit", "cars_train", "cars_test", "cars_test_annos_withlabels.mat")
    )


TORCHVISION_SETS: tuple[type[TorchvisionSet], ...] = (
    MNIST,
    FashionMNIST,
    KMNIST,
    EMNIST,
    QMNIST,
    USPS,
    SEMEION,
    CIFAR10,
    CIFAR100,
    SVHN,
    STL10,
    GTSRB,
    Flowers102,
    OxfordIIITPet,
    Food101,
    DTD,
    EuroSAT,
    FGVCAircraft,
    Country211,
    RenderedSST2,
    Imagenette,
    SUN397,
    StanfordCars,
)
