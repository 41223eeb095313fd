"""Data that scikit-learn's package contains: digits as images, and tables for classification and regression."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.data.dataset import Dataset
    from engine.data.splits import Indices, Split


def read_numbers(
    file: str, loader: str, *, delimiter: str | None = ",", skip_lines: int = 0, column: str = ""
) -> NDArray[np.float64]:
    """Read one of scikit-learn's data files. Importing sklearn.datasets would take a hundred times as long.

    Args:
        loader: The function of sklearn.datasets that returns the same data, used if the file is elsewhere.
        column: The part of its result that the file holds: "data" or "target"; empty for both, the target last.
    """
    import numpy as np

    spec = find_spec("sklearn")
    path = Path(spec.origin or "").parent / "datasets" / "data" / file if spec else None
    if path is not None and path.is_file():
        return np.loadtxt(path, delimiter=delimiter, skiprows=skip_lines, encoding="ascii")
    options = {"scaled": False} if loader == "load_diabetes" else {}
    loaded = getattr(import_module("sklearn.datasets"), loader)(**options)
    return np.asarray(loaded[column] if column else np.column_stack([loaded.data, loaded.target]), dtype=np.float64)


DARKEST = 16  # a pixel is the number of dark points in a 4×4 block of the scan


class Digits(Source):
    """E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998."""

    name: ClassVar[str] = "digits"
    summary: ClassVar[str] = "1,797 scanned handwritten digits of 8×8 grey pixels, in ten classes."
    when: ClassVar[str] = "To train a CNN, or an RNN over rows, on images within seconds and without a download."

    as_rows: Annotated[
        bool, Field(description="Read each image as a sequence of its 8 rows, for a recurrent network.")
    ] = False

    def load(self, split: Split) -> Dataset:
        """Images (1, 8, 8), or sequences (T=8, F=8) of rows from top to bottom; 0 is white, 1 is black."""
        import numpy as np

        from engine.data.dataset import dataset

        rows = table()
        shape = (-1, 8, 8) if self.as_rows else (-1, 1, 8, 8)
        x = (rows[:, :64].astype(np.float32) / DARKEST).reshape(shape)
        y = rows[:, 64].astype(np.int64)
        return dataset(
            self.name,
            "classification",
            "sequence" if self.as_rows else "image",
            x,
            y,
            split.by_class(y),
            classes=tuple("0123456789"),
        )


def table() -> NDArray[np.uint8]:
    """(N, 65): the 64 pixels of each scan, 0 to 16, and the digit."""
    return read_numbers("digits.csv.gz", "load_digits").astype("uint8")


SIDE = 32


class DigitsRGB(Source):
    """The scans of `digits`, enlarged, each with random colours of ink and paper."""

    name: ClassVar[str] = "digits-rgb"
    summary: ClassVar[str] = "The 1,797 digits as colour images of 32×32 pixels, with random ink and paper colours."
    when: ClassVar[str] = "To try a CNN for CIFAR-10's shape offline; colours are unrelated to the class."

    def load(self, split: Split) -> Dataset:
        """Images (3, 32, 32) between 0 and 1. The seed determines the colours: dark ink on light paper."""
        import numpy as np

        from engine.data.dataset import dataset

        rows = table()
        y = rows[:, 64].astype(np.int64)
        ink = rows[:, :64].reshape(-1, 1, 8, 8).astype(np.float32) / DARKEST
        ink = ink.repeat(SIDE // 8, axis=2).repeat(SIDE // 8, axis=3)
        colours = np.random.default_rng(split.seed)
        paper = colours.uniform(0.6, 1.0, (len(y), 3, 1, 1)).astype(np.float32)
        pen = colours.uniform(0.0, 0.4, (len(y), 3, 1, 1)).astype(np.float32)
        x = paper + ink * (pen - paper)
        parts = split.by_class(y)
        return dataset(self.name, "classification", "image", x, y, parts, classes=tuple("0123456789"))


class _Classes(Source):
    """Features (F,) standardised by the training part, and a class."""

    file: ClassVar[str]
    loader: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]

    def load(self, split: Split) -> Dataset:
        """Vectors of F features, each with mean 0 and standard deviation 1 over the training part."""
        import numpy as np

        from engine.data.dataset import dataset

        table = read_numbers(self.file, self.loader, skip_lines=1)
        y = table[:, -1].astype(np.int64)
        parts = split.by_class(y)
        x = _standardised(table[:, :-1], parts.train)[0].astype(np.float32)
        notes = (_note(x.shape[1], len(parts.train)),)
        return dataset(self.name, "classification", "vector", x, y, parts, classes=self.classes, notes=notes)


class BreastCancer(_Classes):
    """W. Wolberg, O. Mangasarian, N. Street, W. Street: Breast Cancer Wisconsin (Diagnostic), UCI, 1993."""

    name: ClassVar[str] = "breast-cancer"
    summary: ClassVar[str] = "569 tumours with 30 measurements of their cells, malignant or benign."
    when: ClassVar[str] = "To train an MLP with a single output for two classes, within a second."
    file: ClassVar[str] = "breast_cancer.csv"
    loader: ClassVar[str] = "load_breast_cancer"
    classes: ClassVar[tuple[str, ...]] = ("malignant", "benign")


class Wine(_Classes):
    """S. Aeberhard, M. Forina: Wine, UCI Machine Learning Repository, 1991."""

    name: ClassVar[str] = "wine"
    summary: ClassVar[str] = "178 Italian wines with 13 chemical measurements, from three cultivars."
    when: ClassVar[str] = "For a very small classification task: a run takes less than a second."
    file: ClassVar[str] = "wine_data.csv"
    loader: ClassVar[str] = "load_wine"
    classes: ClassVar[tuple[str, ...]] = ("class_0", "class_1", "class_2")


class Diabetes(Source):
    """B. Efron, T. Hastie, I. Johnstone, R. Tibshirani: Least Angle Regression, Annals of Statistics, 2004."""

    name: ClassVar[str] = "diabetes"
    summary: ClassVar[str] = "442 patients with 10 measurements, and how far their diabetes progressed in a year."
    when: ClassVar[str] = "To compare regression losses: few samples, much noise, and outliers."

    def load(self, split: Split) -> Dataset:
        """Vectors (F=10) and one number, all standardised by the training part."""
        import numpy as np

        from engine.data.dataset import Units, dataset

        features = read_numbers("diabetes_data_raw.csv.gz", "load_diabetes", delimiter=None, column="data")
        target = read_numbers("diabetes_target.csv.gz", "load_diabetes", delimiter=None, column="target").reshape(-1, 1)
        parts = split.at_random(len(target))
        x, _, _ = _standardised(features, parts.train)
        y, mean, std = _standardised(target, parts.train)
        notes = (
            _note(x.shape[1], len(parts.train)),
            f"The target too: 1 is {std[0]:.1f}, 0 is {mean[0]:.1f} of the original scale (25 to 346).",
        )
        return dataset(
            self.name,
            "regression",
            "vector",
            x.astype(np.float32),
            y.astype(np.float32),
            parts,
            units=Units(scale=(float(std[0]),), offset=(float(mean[0]),)),
            statistics={"target_mean": float(mean[0]), "target_std": float(std[0])},
            notes=notes,
        )


def _standardised(
    values: NDArray[np.float64], train: Indices
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N, F) with mean 0 and standard deviation 1 in the training part for each column; and those statistics."""
    mean, std = values[train].mean(0), values[train].std(0)
    std[std == 0] = 1.0
    return (values - mean) / std, mean, std


def _note(features: int, samples: int) -> str:
    return f"Each of the {features} features is standardised by the {samples} training samples."
