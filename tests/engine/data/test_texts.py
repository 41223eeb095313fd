"""Texts of a person's own: files of rows and class folders, as words, characters and byte pairs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from text_files import folder, imdb, reviews, spelled, texts, written

from engine.data.load import load_data
from engine.data.text import PADDING, UNKNOWN
from engine.data.texts.tokens import BytePairs, learned
from engine.experiment import Data, reads
from engine.plan import check
from engine.training.session import Session

KINDS = ("word", "character", "bpe")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_a_file_of_rows_in_any_format_is_the_same_data(tmp_path: Path, name: str) -> None:
    loaded = texts(written(tmp_path / name, reviews()))
    assert loaded.description.classes == ("neg", "pos")
    assert loaded.description.input_kind == "tokens" and loaded.description.token == "word"
    assert spelled(loaded, 0) == ["a", "lovely", "film", ",", "take", "0", "."]
    assert loaded.y[:4].tolist() == [1, 0, 1, 0]
    assert sorted(torch.cat([loaded.train, loaded.validation]).tolist()) == list(range(20))


def test_class_folders_are_the_same_data_as_rows(tmp_path: Path) -> None:
    rows = texts(written(tmp_path / "a.csv", sorted(reviews(), key=lambda row: row[1])))
    lying = texts(folder(tmp_path / "a", reviews()))
    assert lying.description.classes == rows.description.classes
    assert Counter(lying.vocabulary).keys() >= {"film", "the", "."}
    assert sorted(tuple(spelled(lying, i)) for i in lying.train) == sorted(
        tuple(spelled(lying, i)) for i in range(20) if i not in lying.validation.tolist()
    )
    assert len(lying.x) == len(rows.x) == 20


def test_the_large_movie_review_layout_is_honoured(tmp_path: Path) -> None:
    loaded = texts(imdb(tmp_path / "aclImdb"), classes=["neg", "pos"])
    d = loaded.description
    assert d.classes == ("neg", "pos")
    assert (d.train_samples, d.val_samples, d.test_samples) == (32, 8, 20)
    notes = " ".join(d.notes)
    assert "The test part is test; data.test is not used." in notes
    assert "Class folders that are not in data.classes: unsup." in notes
    assert "train/urls_pos.txt" in notes and "test/urls_neg.txt" in notes
    assert "20 of the texts that are held back are in the training part too" not in notes


def test_a_class_folder_without_a_test_text_is_a_class_like_others_unless_classes_are_named(tmp_path: Path) -> None:
    loaded = texts(imdb(tmp_path / "aclImdb"))
    assert loaded.description.classes == ("neg", "pos", "unsup")


def test_files_of_parts_are_the_parts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", reviews())
    other = written(tmp_path / "b.csv", [("a film", "pos"), ("no film", "neg")])
    loaded = texts(path, validation_path=str(other), test_path=str(other))
    assert len(loaded.train) == 20
    assert [spelled(loaded, i) for i in loaded.validation] == [["a", "film"], ["no", "film"]]
    assert [spelled(loaded, i) for i in loaded.test] == [["a", "film"], ["no", "film"]]


def test_groups_stay_together(tmp_path: Path) -> None:
    rows = [(text, label, i % 5) for i, (text, label) in enumerate(reviews(40))]
    loaded = texts(written(tmp_path / "a.csv", rows, ("text", "label", "author")), group="author")
    train, held = ({int(i) % 5 for i in part} for part in (loaded.train, loaded.validation))
    assert held and not train & held


def test_labels_that_are_numbers_stand_in_their_order(tmp_path: Path) -> None:
    rows = [(f"text {i}", (1, 2, 10)[i % 3]) for i in range(12)]
    assert texts(written(tmp_path / "a.csv", rows)).description.classes == ("1", "2", "10")
    assert texts(written(tmp_path / "a.parquet", rows)).description.classes == ("1", "2", "10")


@pytest.mark.parametrize("tokens", KINDS)
def test_texts_are_cut_at_their_length_and_padded_nowhere(tmp_path: Path, tokens: str) -> None:
    loaded = texts(written(tmp_path / "a.csv", reviews()), tokens=tokens, max_length=6)
    assert loaded.x.shape == (20, 6) and loaded.lengths is not None
    assert torch.equal(loaded.x[torch.arange(20)] == PADDING, torch.arange(6) >= loaded.lengths[:, None])
    assert int(loaded.lengths.max()) == 6
    assert any("reach 6" in note for note in loaded.description.notes)


def test_memory_is_a_byte_or_two_a_token(tmp_path: Path) -> None:
    rows = [(f"{text} " * 20, label) for text, label in reviews(100)]
    characters = texts(written(tmp_path / "a.csv", rows), tokens="character", max_length=100_000)
    assert characters.x.dtype == torch.uint8
    raw = sum(len(text) for text, _ in rows)
    assert characters.x.nbytes <= 1.05 * raw
    words = texts(tmp_path / "a.csv", max_length=100_000, vocabulary_size=50_000)
    assert words.lengths is not None
    assert words.x.nbytes <= 1.05 * int(words.lengths.sum()) * words.x.dtype.itemsize + 8 * 101


@pytest.mark.parametrize("tokens", KINDS)
def test_nothing_of_the_held_back_texts_is_learned(tmp_path: Path, tokens: str) -> None:
    rows = reviews(60)
    path = written(tmp_path / "a.csv", rows)
    first = texts(path, tokens=tokens, test=0.2, vocabulary_size=60)
    held = [*first.validation.tolist(), *first.test.tolist()]
    assert len(held) == 24
    changed = [("żebra Zebra ZZZ qqq!" if i in held else text, label) for i, (text, label) in enumerate(rows)]
    second = texts(written(path, changed), tokens=tokens, test=0.2, vocabulary_size=60)
    assert json.dumps(second.learned) == json.dumps(first.learned)
    assert all(torch.equal(first.x[i], second.x[i]) for i in first.train.tolist())
    assert not torch.equal(first.x[torch.tensor(held)], second.x[torch.tensor(held)])
    trained = [(text, label) if i in held else (f"{text} zebra zebra", label) for i, (text, label) in enumerate(rows)]
    assert texts(written(path, trained), tokens=tokens, test=0.2, vocabulary_size=60).learned != first.learned


@pytest.mark.parametrize("tokens", KINDS)
def test_other_words_in_files_of_their_own_change_nothing_that_is_learned(tmp_path: Path, tokens: str) -> None:
    path, other = written(tmp_path / "a.csv", reviews()), tmp_path / "b.csv"
    given = {"tokens": tokens, "validation_path": str(other), "test_path": str(other), "vocabulary_size": 80}
    written(other, [("short", "pos"), ("words", "neg")])
    first = texts(path, **given)
    written(other, [("others żżż", "neg"), ("altogether ★", "pos")])
    assert json.dumps(texts(path, **given).learned) == json.dumps(first.learned)


def test_byte_pairs_are_learned_alike_by_any_process(tmp_path: Path) -> None:
    many = [
        (f"{text} {chr(0x4E00 + i)}{chr(0x3B1 + i % 20)} ünïcödé", label)
        for i, (text, label) in enumerate(reviews(200))
    ]
    path = written(tmp_path / "a.csv", many)
    code = (
        "import json, sys; from engine.data import load_data; from engine.experiment import Data; "
        f"d = load_data(Data.model_validate({{'source': 'text', 'path': {str(path)!r}, 'tokens': 'bpe', "
        "'vocabulary_size': 90, 'min_count': 1}), 0); print(json.dumps(d.learned), d.x[0].tolist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and "merges" in said.pop()


def test_byte_pairs_put_together_what_often_stands_together() -> None:
    pieces = learned("bpe", ["the hat, the cat."] * 10 + ["Th3"], size=40, min_count=2, length=50)
    assert "▁the" in pieces.vocabulary and pieces.token == "piece"
    (numbers,) = pieces.numbers(["the HAT"], 50)
    assert [pieces.vocabulary[n] for n in numbers] == ["▁the", "▁hat"]
    (numbers,) = pieces.numbers(["☃ the"], 50)
    assert UNKNOWN in numbers


def test_byte_pairs_come_back_from_what_a_run_keeps() -> None:
    first = learned("bpe", [text for text, _ in reviews(40)], size=80, min_count=2, length=50)
    kept = json.loads(json.dumps({"vocabulary": first.vocabulary, **first.as_dict()}))
    again = BytePairs(kept["vocabulary"], [(one, other) for one, other in kept["merges"]])
    some = [text for text, _ in reviews(60)]
    assert [list(n) for n in again.numbers(some, 30)] == [list(n) for n in first.numbers(some, 30)]


def test_the_alphabet_leaves_room_for_pieces() -> None:
    chinese = ["".join(chr(0x4E00 + (i * 7 + j) % 500) for j in range(40)) + " the the the" for i in range(50)]
    pieces = learned("bpe", chinese, size=100, min_count=1, length=100)
    assert len(pieces.vocabulary) == 100
    assert sum(len(piece) == 1 for piece in pieces.vocabulary) <= 50


@pytest.mark.parametrize("tokens", KINDS)
def test_marks_in_a_text_are_text(tmp_path: Path, tokens: str) -> None:
    rows = [(f"<padding> <unknown> {text}", label) for text, label in reviews()]
    loaded = texts(written(tmp_path / "a.csv", rows), tokens=tokens, vocabulary_size=500)
    assert loaded.lengths is not None
    for i in loaded.train.tolist():
        numbers = loaded.x[i, : int(loaded.lengths[i])]
        assert not ((numbers == PADDING) | (numbers == UNKNOWN)).any()


def test_a_label_that_occurs_once_is_said(tmp_path: Path) -> None:
    loaded = texts(written(tmp_path / "a.csv", [*reviews(), ("what is this", "odd")]))
    assert any("A label that occurs only once: 'odd'." in note for note in loaded.description.notes)


def test_texts_that_are_trained_on_and_held_back_are_counted(tmp_path: Path) -> None:
    loaded = texts(written(tmp_path / "a.csv", [("the same", label) for _, label in reviews()]))
    assert any("4 texts of the other parts are also in the training part" in n for n in loaded.description.notes)


def document(path: Path, tokens: str, name: str = "texts") -> str:
    return f"""
name = "{name}"
[data]
source = "text"
path = "{path}"
tokens = "{tokens}"
min_count = 1
batch_size = 8
[model]
layers = [
  {{type = "Embedding", embedding_dim = 16}},
  {{type = "LSTM", hidden_size = 16, output = "mean"}},
  {{type = "Linear", out_features = "auto"}},
]
[loss]
type = "CrossEntropyLoss"
[optimizer]
type = "Adam"
lr = 2e-2
[training]
epochs = 12
threads = 1
device = "cpu"
"""


@pytest.mark.parametrize("tokens", KINDS)
def test_a_network_tells_reviews_apart_and_keeps_how_it_read_them(tmp_path: Path, tokens: str) -> None:
    path = written(tmp_path / "a.csv", reviews(80))
    session = Session.create(check(reads(document(path, tokens))), runs_dir=tmp_path / "runs")
    session.start()
    session.join()
    events = [json.loads(line) for line in (session.directory / "events.jsonl").read_text().splitlines()]
    assert max(e["val_accuracy"] for e in events if e["event"] == "epoch") >= 0.9
    kept = json.loads((session.directory / "data.json").read_text())
    loaded = texts(path, tokens=tokens)
    assert kept["vocabulary"] == list(loaded.vocabulary)
    assert kept["encoders"]["tokens"]["type"] == tokens


def test_batches_are_of_texts_of_like_length_unless_that_is_not_wanted(tmp_path: Path) -> None:
    rows = [("word " * (1 + i % 50), ("pos", "neg")[i % 2]) for i in range(400)]
    path = written(tmp_path / "a.csv", rows)
    from engine.training.order import order_of

    def padding(bucket: bool) -> int:
        data = Data.model_validate({"source": "text", "path": str(path), "bucket": bucket, "batch_size": 16})
        loaded = load_data(data, 0)
        assert loaded.lengths is not None
        batches = order_of(loaded, data)(0, 1, 16).split(16)
        return sum(int(loaded.lengths[b].max() * len(b) - loaded.lengths[b].sum()) for b in batches)

    assert padding(True) < padding(False) / 5
