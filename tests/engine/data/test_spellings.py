"""Labels, folders, columns and categories that differ only in Unicode form are one; others say how they differ."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm_torchdeck
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from text_files import written

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.data.spellings import look_alike, united
from engine.experiment import Data, Refused, reads
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 80
CAFE, ZURICH = "café", "Zürich"


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def load(**fields: Any) -> Dataset:
    forget()
    return load_data(Data.model_validate({"validation": 0.25, **fields}), seed=0)


def note(loaded: Dataset, word: str) -> str:
    (found,) = [said for said in loaded.description.notes if word in said]
    return found


LABELS = (CAFE, ZURICH, decomposed(CAFE), decomposed(ZURICH))


def test_labels_of_a_table_in_two_forms_are_one_class_and_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", [(i, i % 7, LABELS[i % 4]) for i in range(40)], ("x", "z", "y"))
    loaded = load(source="table", path=str(path), target="y")
    assert loaded.description.classes == (ZURICH, CAFE)
    assert loaded.y.tolist() == [1 - i % 2 for i in range(40)]
    assert note(loaded, "Unicode") == (
        "Labels of y that differ only in their Unicode form are merged: 'café' ('caf\\xe9' and 'cafe\\u0301'); "
        "'Zürich' ('Z\\xfcrich' and 'Zu\\u0308rich')."
    )
    document = f"""
data = {{source = "table", path = "{path}", target = "y", batch_size = 8}}
model.layers = [{{type = "Linear", out_features = "auto"}}]
"""
    (tmp_path / "a.toml").write_text(document)
    result = warm_torchdeck.run("check", "a.toml", cwd=tmp_path)
    assert "classification, 2 classes" in result.stdout


def test_labels_of_texts_and_of_a_validation_file_are_one_whatever_their_form(tmp_path: Path) -> None:
    rows = [(f"a text of {i}", (CAFE, "bar")[i % 2]) for i in range(20)]
    other = written(tmp_path / "b.csv", [("one", decomposed(CAFE)), ("two", "bar")])
    loaded = load(source="text", path=str(written(tmp_path / "a.csv", rows)), validation_path=str(other))
    assert loaded.description.classes == ("bar", CAFE)
    assert loaded.y[loaded.validation].tolist() == [1, 0]
    assert note(loaded, "Labels of label") and load(
        source="text", path=str(tmp_path / "a.csv"), classes=[decomposed(CAFE), "bar"]
    ).description.classes == ("bar", CAFE)


def test_one_form_alone_stays_as_it_is_written(tmp_path: Path) -> None:
    rows = [(i, i % 7, decomposed((CAFE, "bar")[i % 2])) for i in range(20)]
    path = written(tmp_path / "t.csv", rows, ("x", "z", "y"))
    other = written(tmp_path / "v.csv", [(1, 2, CAFE), (3, 4, "bar")], ("x", "z", "y"))
    loaded = load(source="table", path=str(path), target="y")
    assert loaded.description.classes == ("bar", decomposed(CAFE))
    assert not [said for said in loaded.description.notes if "Unicode" in said]
    assert load(source="table", path=str(path), target="y", validation_path=str(other)).description.val_samples == 2


def test_class_folders_in_two_forms_are_one_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in (CAFE, decomposed(CAFE), "bar"):
        (tmp_path / "zoo" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (4, 4), np.uint8)).save(tmp_path / "zoo" / name / f"{number}.png")
    loaded = load(source="images", path=str(tmp_path / "zoo"))
    assert loaded.description.classes == ("bar", CAFE) and np.bincount(loaded.y).tolist() == [6, 12]
    assert note(loaded, "Unicode").startswith("Class folders that differ only in their Unicode form are merged: 'café'")


@pytest.mark.parametrize("train", [CAFE, decomposed(CAFE)])
def test_a_folder_of_the_validation_part_is_that_of_the_training_part(tmp_path: Path, train: str) -> None:
    other = decomposed(CAFE) if train == CAFE else CAFE
    for part, name in (("train", train), ("val", other)):
        for label in (name, "bar"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(3):
                (tmp_path / part / label / f"{number}.txt").write_text(f"a text {number}")
    loaded = load(source="text", path=str(tmp_path), min_count=1)
    assert loaded.description.classes == ("bar", train) and loaded.y[loaded.validation].tolist() == [0] * 3 + [1] * 3


def test_columns_are_found_in_whatever_form_the_document_and_each_file_have_them(tmp_path: Path) -> None:
    rows = [(i, i % 3, ("a", "b")[i % 2]) for i in range(20)]
    names = ("größe", "länge", "für")
    one = written(tmp_path / "a.csv", rows, tuple(map(decomposed, names)))
    two = written(tmp_path / "b.csv", rows, names)
    loaded = load(source="table", path=str(one), target="für", validation_path=str(two), exclude=[decomposed("länge")])
    assert loaded.description.features == ("größe",) and loaded.description.targets == ("für",)
    series = load(source="series", path=str(two), target=[decomposed("größe"), "länge"], window=2)
    assert series.description.targets == ("größe", "länge")
    both = written(tmp_path / "c.csv", rows, ("größe", decomposed("größe"), "y"))
    with pytest.raises(Refused, match=r"two columns are named 'größe', in different Unicode forms.*Rename one"):
        load(source="table", path=str(both), target="y")


def test_categories_in_two_forms_are_one_feature(tmp_path: Path) -> None:
    rows = [(LABELS[i % 4], i % 2) for i in range(24)]
    path = written(tmp_path / "a.csv", rows, ("place", "y"))
    other = written(tmp_path / "b.csv", [(decomposed(ZURICH), 1), (CAFE, 0)], ("place", "y"))
    loaded = load(source="table", path=str(path), target="y", test_path=str(other))
    assert loaded.description.features == (f"place={ZURICH}", f"place={CAFE}")
    assert loaded.x[loaded.test].tolist() == [[1, 0], [0, 1]]
    assert note(loaded, "Unicode").startswith("Categories of place that")


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("cat\u200b", "it looks like 'cat', but it has U+200B ZERO WIDTH SPACE"),
        ("сat", "it looks like 'cat', but has U+0441 CYRILLIC SMALL LETTER ES, not U+0063 LATIN SMALL LETTER C"),
        ("ｃat", "it looks like 'cat', but it has U+FF43 FULLWIDTH LATIN SMALL LETTER C"),
        ("Cat", "it differs from 'cat' in upper and lower case"),
        ("big\u00a0dog", "it looks like 'big dog', but it has U+00A0 NO-BREAK SPACE"),
        ("cow", "expected one of 'big dog', 'cat'"),
    ],
)
def test_a_label_that_looks_like_a_class_is_told_apart_by_its_character(tmp_path: Path, label: str, why: str) -> None:
    rows = [(i, f"text {i}", ("cat", "big dog")[i % 2]) for i in range(20)]
    path = written(tmp_path / "a.csv", rows, ("i", "text", "label"))
    other = written(tmp_path / "b.csv", [(0, "x", "cat"), (1, "y", label)], ("i", "text", "label"))
    for source in ({"source": "text"}, {"source": "table", "target": "label", "exclude": ["text"]}):
        with pytest.raises(Refused) as refused:
            load(**source, path=str(path), validation_path=str(other))
        said = str(refused.value)
        assert re.search(r"(is not a (label|class) of the training file|is not printable); ", said) and why in said


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text("eéE\u0301\u0308uÅ\u212b각\u1100\u1161\u11a8", max_size=4), max_size=8))
def test_what_is_united_is_what_unicode_calls_equal(names: list[str]) -> None:
    changed = united(names)
    became = {name: changed.get(name, name) for name in names}
    for one in names:
        for other in names:
            equal = unicodedata.normalize("NFD", one) == unicodedata.normalize("NFD", other)
            assert (became[one] == became[other]) == equal
    for name in names:
        if sum(unicodedata.normalize("NFD", n) == decomposed(name) for n in set(names)) == 1:
            assert became[name] == name


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=6), st.lists(st.text(max_size=6), max_size=4))
def test_any_label_can_be_compared_with_any_classes(label: str, names: list[str]) -> None:
    assert isinstance(look_alike(label, names), str)


def test_a_run_that_began_with_two_forms_as_two_classes_is_resumed_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(i % 7, LABELS[i // 3 % 4], LABELS[i % 4]) for i in range(48)]
    path = written(tmp_path / "t.csv", rows, ("x", "place", "y"))
    document = f"""
data = {{source = "table", path = "{path}", target = "y", batch_size = 8}}
model.layers = [{{type = "Linear", out_features = "auto"}}]
training = {{device = "cpu", threads = 1, epochs = 1}}
"""

    def run(runs: Path, *overrides: str) -> Session:
        forget()
        session = Session.create(check(reads(document, overrides)), runs_dir=runs)
        session.start()
        assert session.join(60) and session.finished.reason.value == "completed"
        return session

    with monkeypatch.context() as patch:
        for module in ("targets", "fitting"):
            patch.setattr(f"engine.data.tables.{module}.united_column", lambda column, recorded=(): (column, {}))
        whole, half = run(tmp_path / "whole", "training.epochs=2"), run(tmp_path / "half")
    assert half.plan.description is not None and len(half.plan.description.classes) == 4
    forget()
    resumed = Session.resume(half.directory, ["training.epochs=2"])
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    ours, theirs = (load_checkpoint(newest_checkpoint(s.directory / "checkpoints")).model for s in (resumed, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    fresh = run(tmp_path / "fresh").plan.description
    assert fresh is not None and len(fresh.classes) == 2 and len(fresh.features) == 3
