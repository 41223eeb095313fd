import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from engine.data import baselines_of, load_data
from engine.experiment import Data


def test_the_digits_are_those_of_scikit_learn_between_0_and_1() -> None:
    theirs = load_digits()
    ours = load_data(Data(source="digits"), seed=0)
    assert ours.x.dtype == torch.float32 and ours.y.dtype == torch.int64
    assert np.array_equal(ours.x[:, 0].numpy() * 16, theirs.images)
    assert np.array_equal(ours.y.numpy(), theirs.target)
    assert ours.description.input_kind == "image" and ours.description.input_shape == (1, 8, 8)
    assert ours.description.outputs == 10 and ours.description.classes[3] == "3"


def test_as_rows_each_step_of_the_sequence_is_a_row_of_the_image() -> None:
    images = load_data(Data(source="digits"), seed=0)
    rows = load_data(Data.model_validate({"source": "digits", "as_rows": True}), seed=0)
    assert rows.description.input_kind == "sequence" and rows.description.input_shape == (8, 8)
    assert torch.equal(rows.x[:, 2], images.x[:, 0, 2, :])


def test_the_parts_of_the_digits_are_described_as_they_are() -> None:
    data = load_data(Data(source="digits", validation=0.2, test=0.1), seed=1)
    d = data.description
    assert (d.train_samples, d.val_samples, d.test_samples) == (1258, 359, 180)
    assert (len(data.train), len(data.validation), len(data.test)) == (1258, 359, 180)
    assert d.bytes == data.x.nbytes + data.y.nbytes


def test_the_digits_are_there_where_scikit_learn_keeps_its_file_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_data(Data(source="digits"), seed=0)
    monkeypatch.setattr("engine.data.sources.scikit_learn.find_spec", lambda name: None)
    fallback = load_data(Data(source="digits"), seed=0)
    assert torch.equal(fallback.x, expected.x) and torch.equal(fallback.y, expected.y)


def test_the_naive_baseline_is_the_largest_training_class_counted_on_the_validation_part() -> None:
    data = load_data(Data(source="digits"), seed=0)
    largest = np.bincount(data.y[data.train].numpy()).argmax()
    share = float((data.y[data.validation].numpy() == largest).mean())
    found = baselines_of(data)[0]
    assert found.metric == "accuracy" and found.value == pytest.approx(share)
    assert f"({largest})" in found.sentence and f"{share:.4f}" in found.sentence
