"""The tables that scikit-learn carries are its own, standardised by what may be looked at."""

import numpy as np
import pytest
import sklearn.datasets
import torch

from engine.data import load_data
from engine.experiment import Data

THEIRS = {
    "breast-cancer": sklearn.datasets.load_breast_cancer,
    "wine": sklearn.datasets.load_wine,
    "diabetes": lambda: sklearn.datasets.load_diabetes(scaled=False),
}


@pytest.mark.parametrize("name", list(THEIRS))
@pytest.mark.parametrize("file_is_there", [True, False])
def test_a_table_is_scikit_learns_standardised_by_the_training_part_alone(name, file_is_there, monkeypatch):
    if not file_is_there:
        monkeypatch.setattr("engine.data.sources.scikit_learn.find_spec", lambda name: None)
    ours, theirs = load_data(Data(source=name, test=0.1), seed=3), THEIRS[name]()
    train = ours.train.numpy()
    expected = (theirs.data - theirs.data[train].mean(0)) / theirs.data[train].std(0)
    np.testing.assert_allclose(ours.x.numpy(), expected, rtol=1e-5, atol=1e-6)
    held_back = set(ours.validation.tolist()) | set(ours.test.tolist())
    assert not held_back & set(train.tolist()) and len(held_back) + len(train) == len(theirs.data)
    if name == "diabetes":
        scale = ours.statistics
        restored = ours.y[:, 0].double().numpy() * scale["target_std"] + scale["target_mean"]
        np.testing.assert_allclose(restored, theirs.target, rtol=1e-4)
        assert ours.description.task == "regression" and ours.description.outputs == 1
    else:
        assert np.array_equal(ours.y.numpy(), theirs.target)
        assert list(ours.description.classes) == list(theirs.target_names)


def test_coloured_digits_have_the_tutorials_shape_and_tell_no_class_by_their_colour():
    ours = load_data(Data(source="digits-rgb"), seed=0)
    grey = load_data(Data(source="digits"), seed=0)
    assert ours.description.input_shape == (3, 32, 32) and 0 <= float(ours.x.min()) <= float(ours.x.max()) <= 1
    assert torch.equal(ours.y, grey.y) and torch.equal(ours.train, grey.train)
    corner = ours.x[:, :, 0, 0]  # nearly always paper
    means = torch.stack([corner[ours.y == digit].mean(0) for digit in range(10)])
    assert float(means.std(0).max()) < 0.03
    darkness = 1 - ours.x.mean(1)[:, ::4, ::4]
    assert torch.corrcoef(torch.stack([darkness.flatten(), grey.x.flatten()]))[0, 1] > 0.9
    assert not torch.equal(ours.x, load_data(Data(source="digits-rgb"), seed=1).x)
