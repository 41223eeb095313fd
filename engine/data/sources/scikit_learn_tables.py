"""The tables that scikit-learn carries: breast-cancer and wine to tell classes apart, diabetes to predict a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.data.sources.scikit_learn_file import read_numbers
from engine.data.sources.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.data.dataset import Dataset
    from engine.data.splits import Indices, Split


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
    summary: ClassVar[str] = "569 tumours by 30 measures of their cells, malignant or benign."
    when: ClassVar[str] = "To see an MLP tell two classes apart by a single output, within a second."
    file: ClassVar[str] = "breast_cancer.csv"
    loader: ClassVar[str] = "load_breast_cancer"
    classes: ClassVar[tuple[str, ...]] = ("malignant", "benign")


class Wine(_Classes):
    """S. Aeberhard, M. Forina: Wine, UCI Machine Learning Repository, 1991."""

    name: ClassVar[str] = "wine"
    summary: ClassVar[str] = "178 Italian wines by 13 chemical measures, from three cultivars."
    when: ClassVar[str] = "For the smallest real classification there is: a run takes less than a second."
    file: ClassVar[str] = "wine_data.csv"
    loader: ClassVar[str] = "load_wine"
    classes: ClassVar[tuple[str, ...]] = ("class_0", "class_1", "class_2")


class Diabetes(Source):
    """B. Efron, T. Hastie, I. Johnstone, R. Tibshirani: Least Angle Regression, Annals of Statistics, 2004."""

    name: ClassVar[str] = "diabetes"
    summary: ClassVar[str] = "442 patients by 10 measures, and how far their diabetes went on in a year."
    when: ClassVar[str] = "To compare losses for numbers: few samples, much noise, and outliers."

    def load(self, split: Split) -> Dataset:
        """Vectors (F=10) and one number, all standardised by the training part."""
        import numpy as np

        from engine.data.dataset import dataset
        from engine.data.units import Units

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
    """(N, F) with each column's mean over the training part at 0 and its deviation at 1; that mean and deviation."""
    mean, std = values[train].mean(0), values[train].std(0)
    std[std == 0] = 1.0
    return (values - mean) / std, mean, std


def _note(features: int, samples: int) -> str:
    return f"Each of the {features} features is standardised by the {samples} samples to train on."
