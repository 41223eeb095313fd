"""What a data set looks like at a glance, against NumPy on the raw data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from engine.data import load_data
from engine.data.preview import LARGEST_SIDE, SAMPLES, Spread, preview, preview_of
from engine.data.text import tokens_of
from engine.experiment import Data, Refused


def assert_like(found: Spread | None, values: np.ndarray) -> None:
    assert found is not None
    theirs = (values.min(), values.max(), values.mean(), values.std())
    assert (found.minimum, found.maximum, found.mean, found.std) == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_the_figures_of_images_are_those_of_the_raw_training_part() -> None:
    found = preview(Data(source="digits"), 3)
    train = load_data(Data(source="digits"), 3).train.numpy()
    raw = load_digits()
    assert_like(found.inputs, raw.images[train] / 16)
    assert found.train_counts == tuple(np.bincount(raw.target[train]).tolist())
    val = np.setdiff1d(np.arange(len(raw.target)), train)
    assert found.val_counts == tuple(np.bincount(raw.target[val]).tolist())
    assert found.target_dtype == "int64" and found.targets is None


def test_samples_show_every_class_in_turn_as_their_own_pixels() -> None:
    found = preview(Data(source="digits"), 0)
    raw = load_digits()
    assert [s.label for s in found.samples] == [*"0123456789", "0", "1"]
    for sample in found.samples:
        assert str(raw.target[sample.index]) == sample.label
        assert np.array_equal(np.array(sample.image), np.rint(raw.images[sample.index] / 16 * 255))


def test_colours_are_red_green_and_blue() -> None:
    data = load_data(Data(source="digits-rgb"), 0)
    sample = preview_of(data).samples[0]
    theirs = np.rint(data.x[sample.index].numpy().transpose(1, 2, 0) * 255)
    assert np.array_equal(np.array(sample.image), theirs)


def test_each_feature_of_a_table_is_told_by_itself() -> None:
    found = preview(Data(source="breast-cancer"), 0)
    raw = load_breast_cancer()
    train = load_data(Data(source="breast-cancer"), 0).train.numpy()
    part = raw.data[train]
    standardised = ((part - part.mean(0)) / part.std(0)).astype(np.float32).astype(np.float64)
    assert len(found.features) == 30
    for number, feature in enumerate(found.features):
        assert_like(feature, standardised[:, number])


def test_a_window_goes_on_in_its_target() -> None:
    found = preview(Data.model_validate({"source": "mackey-glass", "length": 400, "window": 16, "horizon": 3}), 0)
    data = load_data(Data.model_validate({"source": "mackey-glass", "length": 400, "window": 16, "horizon": 3}), 0)
    assert len(found.samples) == SAMPLES
    indices = [sample.index for sample in found.samples]
    assert indices == sorted(set(indices)) and indices[0] == data.train[0] and indices[-1] == data.train[-1]
    for sample in found.samples:
        assert sample.series == (tuple(data.x[sample.index, :, 0].tolist()),)
        assert sample.target == tuple(data.y[sample.index].tolist())
    assert_like(found.targets, data.y[data.train].double().numpy())


def test_texts_are_what_the_network_reads() -> None:
    found = preview(Data.model_validate({"source": "stdlib-docs", "classes": 3, "max_length": 12}), 0)
    data = load_data(Data.model_validate({"source": "stdlib-docs", "classes": 3, "max_length": 12}), 0)
    for sample in found.samples:
        words = sample.text.split(" ")
        assert len(words) == int(data.lengths[sample.index]) <= 12  # type: ignore[index]
        assert [data.vocabulary.index(word) for word in words] == data.x[sample.index][: len(words)].tolist()
    assert found.inputs is None
    assert found.lengths is not None and data.lengths is not None
    assert_like(found.lengths, data.lengths[data.train].numpy())
    rows = data.x[data.train].numpy()
    assert found.unknown == pytest.approx((rows == 1).sum() / (rows != 0).sum())
    assert tokens_of("A b.") == ["a", "b", "."]


def test_large_images_are_made_smaller_and_odd_ranges_are_scaled(tmp_path: Path) -> None:
    x = np.linspace(-5, 5, 4 * 1 * 200 * 100).reshape(4, 1, 200, 100).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0, 1, 0, 1]))
    found = preview(Data.model_validate({"source": "arrays", "path": str(tmp_path / "d.npz"), "validation": 0.0}), 0)
    image = found.samples[0].image
    assert (len(image), len(image[0])) == (LARGEST_SIDE, LARGEST_SIDE // 2)
    assert min(min(row) for row in image) == 0  # type: ignore[type-var]
    last = next(s for s in found.samples if s.index == 3).image
    assert last[-1][-1] == 255
    assert_like(found.inputs, x.astype(np.float64))


def test_a_preview_is_remembered_until_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    data = Data.model_validate({"source": "arrays", "path": str(path)})
    np.savez(path, x=np.zeros((8, 2), np.float32), y=np.arange(8) % 2)
    first = preview(data, 0)
    assert preview(data.model_copy(update={"batch_size": 7}), 0) is first
    np.savez(path, x=np.ones((8, 2), np.float32), y=np.arange(8) % 2)
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))
    again = preview(data, 0)
    assert again.inputs is not None and again.inputs.mean == 1.0


def test_data_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(Refused):
        preview(Data(source="digit"), 0)
