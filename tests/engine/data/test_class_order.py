"""One order of classes: natural, and the same for every source, every order of the rows and every process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from table_files import table, written

from engine.data import Dataset, load_data
from engine.data.class_order import in_order
from engine.data.load import forget
from engine.data.tables.columns import Reading
from engine.data.tables.reading import read
from engine.data.tables.rows import Faults, Rows
from engine.data.tables.targets import target
from engine.data.texts.tables import Columns, from_tables
from engine.experiment import Data

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 60
ORDERS = [
    (["10", "9", "1"], ["1", "9", "10"]),
    (["1", "10", "2", "11"], ["1", "2", "10", "11"]),
    (["img10", "img2", "img1"], ["img1", "img2", "img10"]),
    (["v1.10", "v1.9", "v1"], ["v1", "v1.9", "v1.10"]),
    (["-1", "-10", "0.5", "1e1"], ["-10", "-1", "0.5", "1e1"]),
    (["9007199254740993", "9007199254740992"], ["9007199254740992", "9007199254740993"]),
    (["nan", "deu", "eng", "inf"], ["deu", "eng", "inf", "nan"]),
    (["nan", "2", "10"], ["2", "10", "nan"]),
    (["b", "a b", "a1", "A"], ["A", "a b", "a1", "b"]),
    (["07", "7", "7.0"], ["07", "7", "7.0"]),
    (["1_000", "20"], ["1_000", "20"]),
    (["9" * 5000, "8" * 4999], ["8" * 4999, "9" * 5000]),
    (["é", "z", "٣"], ["z", "é", "٣"]),
]
LABELS = st.text(alphabet="nainf01290-+._eE ü٣²", max_size=5) | st.floats().map(str) | st.sampled_from(["nan", "NaN"])


@pytest.mark.parametrize(("names", "expected"), ORDERS, ids=[order[1][0][:8] for order in ORDERS])
def test_names_are_in_natural_order_and_numbers_by_their_value(names: list[str], expected: list[str]) -> None:
    assert list(in_order(names)) == list(in_order(reversed(names))) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(LABELS, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_labels_is_one_whatever_the_order_they_come_in(labels, random) -> None:
    order = in_order(labels)
    assert sorted(order) == sorted(set(labels))
    random.shuffle(labels)
    assert in_order(labels) == order == in_order(order)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_numbers_are_ordered_by_value(values: list[float]) -> None:
    assert all(float(one) <= float(other) for one, other in pairwise(in_order(map(str, values))))


def test_what_a_run_recorded_comes_first() -> None:
    assert in_order(["10", "2", "1", "3"], recorded=["10", "1", "5", "2"]) == ("10", "1", "2", "3")


PROGRAM = """
import json, random, sys
import polars as pl
from engine.data.class_order import in_order

from engine.data.images.folder import listed
from engine.data.tables.columns import Reading
from engine.data.tables.reading import read
from engine.data.tables.rows import Faults, Rows
from engine.data.tables.targets import target
from engine.data.texts.tables import Columns, from_tables
rows = read("data.path", "t.csv")
found = Rows.of([rows], ["text", "label"])
orders = [
    target(found.frame["label"], len(found), "classification", Reading(), Faults(found)).names,
    from_tables((rows, None, None), Columns(text="text", target="label")).classes,
    listed("zoo").classes,
]
draw = random.Random(3)
for _ in range(300):
    orders.append(in_order({"".join(draw.choices("nainf0129.", k=draw.randint(1, 4))) for _ in range(8)}))
assert "torch" not in sys.modules  # which would cost seconds a process
print(json.dumps(orders))
"""


def test_every_process_has_the_same_order(tmp_path: Path) -> None:
    labels = ["nan", "deu", "NaN", "eng", "10", "9", "inf", "2", "-nan", "1e3"]
    written(tmp_path / "t.csv", [[f"text {i}", label] for i in range(4) for label in labels], ("text", "label"))
    for label in labels:
        (tmp_path / "zoo" / label).mkdir(parents=True)
        (tmp_path / "zoo" / label / "0.png").touch()
    answers = []
    for seed in ("0", "1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == answers[0][1] == answers[0][2] == list(in_order(labels))


def images(folder: Path) -> Dataset:
    forget()
    return load_data(Data.model_validate({"source": "images", "path": str(folder), "cache": False}), seed=0)


def texts(path: Path) -> Dataset:
    forget()
    return load_data(Data.model_validate({"source": "text", "path": str(path)}), seed=0)


def test_tables_texts_and_folders_agree(tmp_path: Path) -> None:
    names = [str(n) for n in range(1, 12)]
    rows = [[f"{i} {i}", name] for i in range(3) for name in names]
    made = written(tmp_path / "t.csv", rows, ("text", "label"))
    for name in names:
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "texts" / name).mkdir(parents=True)
        for i in range(2):
            pixels = np.full((4, 4), int(name), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.png")
            (tmp_path / "texts" / name / f"{i}.txt").write_text(f"{name} {i} words")
    of_images = images(tmp_path / "pictures")
    assert of_images.description.classes == tuple(names)
    assert texts(made).description.classes == texts(tmp_path / "texts").description.classes == tuple(names)
    assert table(made, target="label", categorical=["text"]).description.classes == tuple(names)
    for at in range(len(of_images.y)):  # each image is of the class that its pixels say
        assert float(of_images.x[at].max()) == int(names[of_images.y[at]])


def test_ordinal_categories_are_numbered_in_natural_order(tmp_path: Path) -> None:
    rows = [[f"size{i % 12}", ("a", "b")[i % 2]] for i in range(60)]
    data = table(written(tmp_path / "t.csv", rows, ("size", "y")), target="y", categories="ordinal")
    assert data.learned["encoders"]["columns"][0]["categories"] == [f"size{i}" for i in range(12)]


def test_any_labels_of_a_file_are_in_this_order(tmp_path: Path) -> None:
    draw = random.Random(5)
    for _ in range(EXAMPLES // 3):
        some = ["".join(draw.choices("nainfNaé01289.-+e", k=draw.randint(1, 4))) for _ in range(draw.randint(2, 6))]
        path = written(tmp_path / "t.csv", [[f"t {i}", label] for i in range(4) for label in some], ("text", "label"))
        if len(in_order(some)) < 2:
            continue
        found = Rows.of([read("data.path", str(path))], ["text", "label"])
        names = target(found.frame["label"], len(found), "classification", Reading(), Faults(found)).names
        of_texts = from_tables((found.tables[0], None, None), Columns(text="text", target="label")).classes
        assert names == of_texts == in_order(some)
