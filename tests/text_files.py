"""Files and folders of labelled texts, written for tests."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.experiment import Data

WORDS = {
    "pos": ("a lovely film", "great fun from start to end", "moving, funny and warm", "the best of the year"),
    "neg": ("a dull film", "no fun from start to end", "tired, loud and cold", "the worst of the year"),
}


def reviews(count: int = 20) -> list[tuple[str, str]]:
    """Texts and labels, each text another."""
    labels = tuple(WORDS)
    return [(f"{WORDS[labels[i % 2]][i // 2 % 4]}, take {i}.", labels[i % 2]) for i in range(count)]


def written(path: Path, rows: Iterable[tuple[Any, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    """A file of rows in the format that its name ends in."""
    rows = list(rows)
    if path.suffix == ".parquet":
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        pl.DataFrame(columns).write_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows))
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    return path


def folder(root: Path, rows: Iterable[tuple[str, str]]) -> Path:
    """Class folders of .txt files."""
    for number, (text, label) in enumerate(rows):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{number}_7.txt").write_text(text, encoding="utf-8")
    return root


def imdb(root: Path, train: int = 40, test: int = 20) -> Path:
    """As the Large Movie Review Dataset lies on a disk: https://ai.stanford.edu/~amaas/data/sentiment/."""
    folder(root / "train", reviews(train))
    folder(root / "test", reviews(test))
    (root / "train" / "unsup").mkdir()
    for number in range(8):
        (root / "train" / "unsup" / f"{number}_0.txt").write_text("nobody has said what this is", encoding="utf-8")
    for name in ("README", "imdb.vocab", "train/labeledBow.feat", "train/urls_pos.txt", "test/urls_neg.txt"):
        (root / name).write_text("not a review\n")
    return root


def texts(path: Path | str, **fields: Any) -> Dataset:
    """The dataset of texts, read again."""
    forget()
    return load_data(Data.model_validate({"source": "text", "path": str(path), "min_count": 1, **fields}), seed=0)


def spelled(loaded: Dataset, sample: int | Tensor) -> list[str]:
    """The tokens of a sample."""
    sample = int(sample)
    assert loaded.lengths is not None
    return [loaded.vocabulary[number] for number in loaded.x[sample, : int(loaded.lengths[sample])].tolist()]
