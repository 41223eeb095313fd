"""Data sets of the Hugging Face Hub: as its library writes them to a disk, and what is said where one cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from text_files import reviews, spelled

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.experiment import Data, Refused

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def published(**splits: int) -> Any:
    """Reviews as stanfordnlp/imdb has them: texts, and labels that are numbers followed by names."""
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})

    def split(count: int) -> Any:
        texts, labels = zip(*reviews(count), strict=True)
        return datasets.Dataset.from_dict({"text": texts, "label": [int(n == "pos") for n in labels]}, features)

    return datasets.DatasetDict({name: split(count) for name, count in splits.items()})


def loaded(path: Path | str, **fields: Any) -> Dataset:
    forget()
    return load_data(Data.model_validate({"source": "huggingface", "path": str(path), "min_count": 1, **fields}), 0)


def saved(folder: Path, form: str) -> Path:
    both = published(train=20, test=10)
    if form == "save_to_disk":
        both.save_to_disk(str(folder))
        return folder
    (folder / "data").mkdir(parents=True)
    for name, rows in both.items():
        rows.to_parquet(str(folder / "data" / f"{name}-00000-of-00001.parquet"))
    return folder


@pytest.mark.parametrize("form", ["save_to_disk", "parquet"])
def test_a_data_set_on_a_disk_is_read_with_its_splits_and_the_names_of_its_labels(tmp_path: Path, form: str) -> None:
    path = saved(tmp_path / "reviews", form)
    found = loaded(path, test_split="test")
    d = found.description
    assert d.classes == ("neg", "pos") and (d.train_samples, d.val_samples, d.test_samples) == (16, 4, 10)
    assert spelled(found, 0) == ["a", "lovely", "film", ",", "take", "0", "."] and int(found.y[0]) == 1
    assert d.token == "word" and found.learned["encoders"]["tokens"] == {"type": "word"}


def test_one_split_saved_alone_is_what_is_trained_on(tmp_path: Path) -> None:
    published(train=20)["train"].save_to_disk(str(tmp_path / "alone"))
    assert loaded(tmp_path / "alone", tokens="bpe", vocabulary_size=90).description.train_samples == 16


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"test_split": "tset"},
            r"data\.test_split: 'tset' is not a split of .*; expected one of train, test\. Did you",
        ),
        ({"train_split": "all"}, r"data\.train_split: 'all' is not a split of"),
        ({"text": "txt"}, r"data\.text: 'txt' is not a column of .*Did you mean text\?"),
        ({"target": "lable"}, r"data\.target: 'lable' is not a column of .*Did you mean label\?"),
        ({"target": "text"}, r"data\.target: 'text' is data\.text too"),
        ({"text": "label", "target": "text"}, r"data\.text: the column 'label' is of the type Int64; expected texts"),
        ({"classes": ["neg", "odd"]}, r"data\.classes: 'odd' is not a label of label; expected one of neg, pos"),
    ],
)
def test_a_wrong_name_is_answered_with_the_names_that_there_are(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    path = saved(tmp_path / "reviews", "save_to_disk")
    with pytest.raises(Refused, match=said):
        loaded(path, **fields)


def test_texts_without_a_label_are_refused_by_their_row(tmp_path: Path) -> None:
    features = published(train=2)["train"].features
    rows = {"text": ["a", "b", "c", "d"], "label": [0, 1, -1, 0]}
    datasets.DatasetDict(train=datasets.Dataset.from_dict(rows, features)).save_to_disk(str(tmp_path / "reviews"))
    with pytest.raises(
        Refused, match=r"reviews/train: row 3, column 'label': it contains no label; expected one of 'neg'"
    ):
        loaded(tmp_path / "reviews")
    assert len(loaded(tmp_path / "reviews", on_broken="skip").x) == 3


def test_offline_and_not_in_the_cache_is_one_sentence() -> None:
    with pytest.raises(Refused) as refused:
        loaded("stanfordnlp/imdb")
    assert str(refused.value) == (
        "data.path stanfordnlp/imdb: it is not in the cache, and huggingface.co cannot be reached. "
        "Load it once with a network, or name a folder that save_to_disk wrote."
    )


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing"])
def test_a_folder_that_holds_nothing_of_use_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    if content:
        (folder / "train.parquet").write_bytes(content)
    with pytest.raises(Refused) as refused:
        loaded(folder)
    assert str(refused.value).startswith(f"data.path {folder}: ") and "\n" not in str(refused.value)


def test_a_program_that_makes_data_is_never_run(tmp_path: Path) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "reviews.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(Refused, match=r"data\.path .*reviews"):
        loaded(folder)
    assert not (tmp_path / "ran").exists()


def test_without_the_extra_a_sentence_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("raise ImportError('not here')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from tui.cli import main; main()"
    arguments = ["data", "huggingface", "--set", "data.path=stanfordnlp/imdb"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    said = "data.source: the package datasets is not installed. Install it: pip install torchdeck[huggingface]."
    assert said in " ".join(result.stderr.split()) and "Traceback" not in result.stderr
