"""Arrays that are meant for something else than they are read as: noticed, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm_torchdeck

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.data.recorded import RecordedData
from engine.experiment import Data, Refused, reads
from engine.plan import Plan, check

rng = np.random.default_rng(0)
LABELS = np.arange(40) % 4
IMAGES = rng.standard_normal((40, 3, 8, 10)).astype(np.float32)
ROWS = rng.standard_normal((40, 5))


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    forget()
    return folder / "a.npz"


def load(path: Path, recorded: RecordedData = RecordedData(), **fields: Any) -> Dataset:  # noqa: B008 - frozen
    return load_data(Data.model_validate({"source": "arrays", "path": str(path), **fields}), 0, recorded)


def plan(path: Path, loss: str = "auto", *overrides: str) -> Plan:
    forget()
    document = f"""
data = {{source = "arrays", path = "{path}", batch_size = 8}}
model.layers = ["Flatten", {{type = "Linear", out_features = "auto"}}]
loss.type = "{loss}"
"""
    return check(reads(document, overrides))


def channels_last(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(images, 1, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_their_channels_last_are_asked_about_with_the_fix(
    tmp_path: Path, dtype: Any, channels: int
) -> None:
    first = rng.integers(0, 200, (40, channels, 8, 10)).astype(dtype)
    path = saved(tmp_path, x=channels_last(first), y=LABELS)
    (mistake,) = plan(path).mistakes
    assert str(mistake) == (
        f"data.channels {path}: x has the shape (40, 8, 10, {channels}), which looks like (N, H, W, C); expected "
        'images (N, C, H, W). Set data.channels = "last"; or "first", if an image has 8 channels.'
    )
    assert mistake.remedy is not None and mistake.remedy.value == "last"
    loaded = load(path, channels="last")
    assert loaded.description.input_shape == (channels, 8, 10)
    assert np.array_equal(loaded.x.numpy(), first)
    assert loaded.x.dtype == (torch.uint8 if dtype is np.uint8 else torch.float32)
    assert load(path, channels="first").description.input_shape == (8, 10, channels)


def test_the_command_line_mends_the_document_and_trains(tmp_path: Path) -> None:
    saved(tmp_path, x=channels_last(IMAGES), y=LABELS, x_val=channels_last(IMAGES[:8]), y_val=LABELS[:8])
    (tmp_path / "a.toml").write_text(
        'data = {source = "arrays", path = "a.npz", batch_size = 8}\n'
        'model.layers = [{type = "Conv2d", out_channels = 2, kernel_size = 3}, "Flatten", '
        '{type = "Linear", out_features = "auto"}]\n'
        'training = {device = "cpu", threads = 1, epochs = 1}\n'
    )
    result = warm_torchdeck.run("check", "a.toml", cwd=tmp_path)
    assert result.returncode == 2 and result.stderr.count("looks like (N, H, W, C)") == 2
    change = ("--set", "data.channels=last")
    result = warm_torchdeck.run("train", "a.toml", "--headless", *change, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("shape", [(40, 3, 8, 8), (40, 1, 8, 3), (40, 2, 4, 4), (40, 16, 8, 8), (40, 3, 3, 3)])
def test_images_that_are_right_are_not_asked_about(tmp_path: Path, shape: tuple[int, ...]) -> None:
    loaded = load(saved(tmp_path, x=rng.standard_normal(shape), y=LABELS))
    assert loaded.description.input_shape == shape[1:] and loaded.description.warnings == ()


def test_a_run_of_the_first_rules_takes_them_as_it_did(tmp_path: Path) -> None:
    path = saved(tmp_path, x=channels_last(IMAGES), y=LABELS)
    assert load(path, RecordedData(rules=1)).description.input_shape == (8, 10, 3)


def test_channels_last_of_what_is_no_image_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"data\.channels .*x has the shape \(40, 5\); expected images \(N, H, W, C\)"):
        load(saved(tmp_path, x=ROWS, y=LABELS), channels="last")


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.abs(IMAGES) * 90, "and are not scaled; expected numbers around 0, or bytes (uint8). Scale it"),
        ((rng.random((40, 1, 8, 8)) * 255), "x / 255."),
        (rng.integers(0, 256, (40, 1, 8, 8)).astype(np.float32), "from 0.0 to 255.0 and are not scaled; .*astype"),
        (rng.integers(0, 256, (40, 1, 8, 8)), "bytes, which are standardised: x.astype(numpy.uint8)."),
        (rng.integers(0, 4096, (40, 1, 8, 8), dtype=np.uint16), "x / 4095."),
        (IMAGES * 1000, "Scale it before saving."),
    ],
)
def test_images_that_are_not_scaled_are_a_warning_with_the_fix(tmp_path: Path, x: np.ndarray, said: str) -> None:
    x = x.copy()
    x.flat[0], x.flat[1] = (x.min(), x.max()) if x.dtype != np.uint16 else (0, 4095)
    (warning,) = load(saved(tmp_path, x=x, y=LABELS)).description.warnings
    assert warning.severity == "warning" and "images in x range from" in warning.found
    assert all(part in str(warning) for part in said.split(".*")), str(warning)


@pytest.mark.parametrize("x", [IMAGES, rng.integers(0, 256, (40, 3, 8, 8), dtype=np.uint8), rng.random((40, 1, 8, 8))])
def test_images_that_are_scaled_are_not(tmp_path: Path, x: np.ndarray) -> None:
    assert load(saved(tmp_path, x=x, y=LABELS)).description.warnings == ()


def test_bytes_of_three_dimensions_are_said_to_be_no_images(tmp_path: Path) -> None:
    x = rng.integers(0, 256, (40, 8, 9), dtype=np.uint8)
    (warning,) = load(saved(tmp_path, x=x, y=LABELS)).description.warnings
    assert "is read as 8 time steps of 9 features" in warning.found and "x[:, None]" in warning.fix


FLOATS = LABELS.astype(np.float64)
ONE_HOT = np.eye(4)[LABELS]


@pytest.mark.parametrize("y", [FLOATS, FLOATS[:, None], FLOATS.astype(np.float32), ONE_HOT, ONE_HOT.astype(np.float32)])
def test_classes_as_floats_with_a_loss_for_classes_advise_integers(tmp_path: Path, y: np.ndarray) -> None:
    path = saved(tmp_path, x=ROWS, y=y)
    found = plan(path, "CrossEntropyLoss")
    assert found.ok and found.description is not None and found.description.outputs == 4
    said = "\n".join(map(str, found.mistakes))
    one_hot = y.ndim == 2 and y.shape[1] > 1
    what = "each row of y has a single 1 among 0 (one-hot)" if one_hot else "y holds whole numbers as float"
    assert what in said and "CrossEntropyLoss reads them as classes; expected whole numbers of an integer type" in said
    assert 'Save them as integers, or set data.task = "classification".' in said and "MSELoss" not in said
    loaded = load(path, task="classification")
    assert loaded.y.tolist() == LABELS.tolist() and loaded.description.classes == ("0", "1", "2", "3")
    assert plan(path, "CrossEntropyLoss", "data.task=classification").mistakes == ()


def test_one_hot_targets_are_said_where_no_loss_says_what_they_are(tmp_path: Path) -> None:
    path = saved(tmp_path, x=ROWS, y=ONE_HOT, x_val=ROWS[:4], y_val=ONE_HOT[:4])
    (warning,) = plan(path).mistakes
    assert str(warning) == (
        "data.task: each row of y has a single 1 among 0 (one-hot), and is read as 4 numbers to predict; expected the "
        'number of the class. Set data.task = "classification", or save y.argmax(1).'
    )
    assert plan(path, "auto", "data.task=regression").mistakes == ()
    assert load(path, task="classification").y.tolist() == [*LABELS.tolist(), *LABELS[:4].tolist()]


def test_one_hot_integers_are_refused_with_the_setting_that_takes_them(tmp_path: Path) -> None:
    path = saved(tmp_path, x=ROWS, y=ONE_HOT.astype(int))
    with pytest.raises(Refused, match=r'such as y\.argmax\(1\); .*or set data\.task = "classification"'):
        load(path)
    assert load(path, task="classification").y.tolist() == LABELS.tolist()


def test_integers_are_quantities_where_the_task_or_the_loss_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, x=ROWS, y=LABELS)
    assert load(path, task="regression").description.task == "regression"
    found = plan(path, "MSELoss")
    assert found.ok and found.description is not None and found.description.task == "regression"
    assert "MSELoss reads y as a quantity to predict." in found.description.notes


@pytest.mark.parametrize("y", [rng.standard_normal(40), rng.random((40, 4)), ONE_HOT * 2])
def test_what_is_no_class_is_not_taken_for_one(tmp_path: Path, y: np.ndarray) -> None:
    path = saved(tmp_path, x=ROWS, y=y)
    (mistake,) = plan(path, "CrossEntropyLoss").mistakes
    assert mistake.path == "loss.type" and "the task is regression" in str(mistake)
    with pytest.raises(Refused, match=r'data\.task .*Save the number of each class, or set data\.task = "regression"'):
        load(path, task="classification")


def test_inputs_that_never_differ_are_a_warning(tmp_path: Path) -> None:
    x = ROWS.copy()
    x[:, 1], x[:, 4] = 0, 3.5
    (warning,) = load(saved(tmp_path, x=x, y=LABELS)).description.warnings
    assert "2 of 5 features of x have a single value in the training part: 1, 4" in warning.found
    (warning,) = load(saved(tmp_path, x=np.ones((40, 6, 3)), y=LABELS)).description.warnings
    assert "no feature of x differs between samples (x is 1 …)" in warning.found
    images = IMAGES.copy()
    images[:12] = images[:12].mean((2, 3), keepdims=True).mean(1, keepdims=True)
    loaded = load(saved(tmp_path, x=images, y=LABELS))
    (warning,) = loaded.description.warnings
    count = int((loaded.train < 12).sum())
    assert f"{count} of {len(loaded.train)} training images have a single value everywhere" in warning.found
    assert json.dumps(loaded.learned)


@pytest.mark.parametrize(
    "x", [np.repeat(IMAGES[:1], 40, 0), np.tile([[3, 1, 2]], (40, 1)), np.repeat(ROWS[:1, :1], 40, 0)]
)
def test_inputs_that_are_all_the_same_are_a_warning(tmp_path: Path, x: np.ndarray) -> None:
    (warning,) = load(saved(tmp_path, x=x, y=LABELS)).description.warnings
    assert warning.severity == "warning" and "learns nothing from" in warning.expected
    x = x.copy()
    train = load(saved(tmp_path, x=x, y=LABELS)).train
    x[int(train[-1])] += 1
    assert load(saved(tmp_path, x=x, y=LABELS)).description.warnings == ()
