import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.data import Dataset, baselines_of, load_data
from engine.experiment import Data, Mistake, Refused

rng = np.random.default_rng(0)


def data(path: Path | str, **fields: Any) -> Data:
    return Data.model_validate({"source": "arrays", "path": str(path), **fields})


def saved(folder: Path, **arrays: Any) -> Path:
    file = folder / "samples.npz"
    np.savez(file, **arrays)
    return file


def load(folder: Path, normalize: bool = True, **arrays: Any) -> Dataset:
    return load_data(data(saved(folder, **arrays)).model_copy(update={"normalize": normalize}), seed=0)


def refusal(folder: Path, **arrays: Any) -> str:
    with pytest.raises(Refused) as refused:
        load(folder, **arrays)
    (mistake,) = refused.value.mistakes
    assert mistake.path == "data.path" and "samples.npz" in mistake.subject and mistake.fix
    return str(mistake).partition("samples.npz: ")[2]


labels = np.arange(40) % 4
amounts = rng.standard_normal(40)


@pytest.mark.parametrize(
    ("x", "kind", "dtype"),
    [
        (rng.standard_normal((40, 5)), "vector", torch.float32),
        (rng.standard_normal((40, 7, 5)).astype(np.float16), "sequence", torch.float32),
        (rng.standard_normal((40, 3, 8, 8)), "image", torch.float32),
        (rng.integers(0, 9, (40, 12), dtype=np.int32), "tokens", torch.int64),
        (rng.standard_normal((40, 5)).astype(">f8"), "vector", torch.float32),
        (np.asfortranarray(rng.standard_normal((40, 5)).astype(np.float32)), "vector", torch.float32),
    ],
)
def test_what_x_is_follows_from_its_type_and_dimensions(
    tmp_path: Path, x: np.ndarray, kind: str, dtype: torch.dtype
) -> None:
    loaded = load(tmp_path, x=x, y=labels)
    assert loaded.description.input_kind == kind and loaded.description.input_shape == x.shape[1:]
    assert loaded.x.dtype == dtype and loaded.x.is_contiguous()
    assert np.array_equal(loaded.x.numpy(), x.astype(loaded.x.numpy().dtype))


def test_whole_numbers_in_y_are_classes_and_fractional_ones_quantities(tmp_path: Path) -> None:
    x = rng.standard_normal((40, 5))
    classes = load(tmp_path, x=x, y=labels.astype(np.uint8))
    assert classes.description.task == "classification" and classes.description.classes == ("0", "1", "2", "3")
    assert classes.y.dtype == torch.int64 and classes.y.tolist() == labels.tolist()
    quantity = load(tmp_path, x=x, y=amounts)
    assert quantity.description.task == "regression" and quantity.description.outputs == 1
    assert quantity.y.dtype == torch.float32 and quantity.y.shape == (40, 1)
    several = load(tmp_path, x=x, y=rng.standard_normal((40, 3)))
    assert several.description.outputs == 3


def test_images_of_bytes_stay_bytes_and_are_standardised_batch_by_batch(tmp_path: Path) -> None:
    x = rng.integers(0, 256, (40, 2, 4, 4), dtype=np.uint8)
    loaded = load(tmp_path, x=x, y=labels)
    assert np.array_equal(loaded.x[:].numpy(), x) and loaded.description.bytes == x.nbytes + labels.nbytes
    of_training = x[loaded.train.numpy()].transpose(1, 0, 2, 3).reshape(2, -1) / 255
    mean, std = of_training.mean(1), of_training.std(1)
    expected = (x / 255 - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(loaded.inputs(torch.arange(40)).numpy(), expected, atol=1e-5)
    assert loaded.learned["normalization"]["mean"] == pytest.approx(mean.tolist())


def test_images_of_bytes_that_are_not_standardised_are_scaled_to_0_and_1(tmp_path: Path) -> None:
    x = rng.integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
    loaded = load(tmp_path, normalize=False, x=x, y=labels)
    assert np.array_equal(loaded.inputs(torch.arange(40)).numpy(), x.astype(np.float32) / 255)


def test_tokens_are_counted_by_the_largest(tmp_path: Path) -> None:
    x = np.array([[1, 2], [0, 41]] * 20)
    assert load(tmp_path, x=x, y=labels).description.vocabulary_size == 42


def test_classes_keep_their_shares_in_the_parts(tmp_path: Path) -> None:
    loaded = load(tmp_path, x=rng.standard_normal((40, 5)), y=labels)
    assert torch.bincount(loaded.y[loaded.validation]).tolist() == [2, 2, 2, 2]


def test_a_validation_part_of_ones_own_is_used_as_it_is(tmp_path: Path) -> None:
    x, x_val = rng.standard_normal((40, 5)), rng.standard_normal((6, 5))
    loaded = load_data(data(saved(tmp_path, x=x, y=labels, x_val=x_val, y_val=labels[:6]), test=0.1), seed=0)
    d = loaded.description
    assert (d.train_samples, d.val_samples, d.test_samples) == (36, 6, 4)
    assert np.array_equal(loaded.x[loaded.validation].numpy(), x_val.astype(np.float32))
    assert loaded.y[loaded.validation].tolist() == labels[:6].tolist()
    assert int(loaded.test.max()) < 40
    assert any("x_val and y_val" in note for note in d.notes)


def test_a_relative_path_starts_at_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, x=rng.standard_normal((40, 5)), y=labels)
    monkeypatch.chdir(tmp_path)
    assert len(load_data(data("samples.npz"), seed=0).x) == 40


def test_the_naive_baseline_of_a_quantity_is_the_mean_of_the_training_part(tmp_path: Path) -> None:
    y = rng.standard_normal((40, 2)) + np.array([3, 100])
    loaded = load(tmp_path, x=rng.standard_normal((40, 5)), y=y)
    mean = y[loaded.train.numpy()].mean(0)
    expected = np.sqrt(((y[loaded.validation.numpy()] - mean) ** 2).mean())
    assert baselines_of(loaded)[0].value == pytest.approx(expected, rel=1e-5)
    assert "mean of the training part" in baselines_of(loaded)[0].sentence


def test_without_validation_the_baseline_is_that_of_the_training_part_and_says_so(tmp_path: Path) -> None:
    file = saved(tmp_path, x=rng.standard_normal((40, 5)), y=labels)
    found = baselines_of(load_data(data(file, validation=0.0), seed=0))[0]
    assert found.value == 0.25 and "train_accuracy" in found.sentence


x = rng.standard_normal((40, 5))
hole = x.copy()
hole[3, 2] = np.nan
hole[7, 0] = np.inf


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y": labels}, "it has no x; expected x and y (it holds y)"),
        ({"X": x, "Y": labels}, "it has no x and no y; expected x and y (it holds X, Y)"),
        ({"x": x, "y": labels[:30]}, "x has 40 samples, y has 30"),
        ({"x": hole, "y": labels}, "x[3, 2] = nan is not finite, and 1 more"),
        ({"x": x * 1e300, "y": labels}, "is too large for float32"),
        ({"x": x, "y": np.where(labels == 1, np.nan, 1.0)}, "y[1, 0] = nan is not finite, and 9 more"),
        ({"x": x[:, 0], "y": labels}, "x has the shape (40,); expected (N, F) rows"),
        ({"x": x.reshape(40, 5, 1, 1, 1), "y": labels}, "x has the shape (40, 5, 1, 1, 1)"),
        ({"x": x, "y": labels + 1}, "y has the labels 1, 2, 3, 4; expected 0, 1, 2 and so on without a gap"),
        ({"x": x, "y": labels * 2}, "y has the labels 0, 2, 4, 6"),
        ({"x": x, "y": labels - 1}, "y has the labels -1, 0, 1, 2"),
        ({"x": x, "y": labels * 0}, "every y is 0; expected at least two classes"),
        ({"x": x, "y": np.eye(4, dtype=int)[labels]}, "y has the shape (40, 4); expected (N,) whole numbers"),
        ({"x": x, "y": rng.standard_normal((40, 2, 2))}, "y has the shape (40, 2, 2); expected (N,) or (N, outputs)"),
        ({"x": x, "y": labels.astype(str)}, "y is of type <U21; expected numbers. Renumber them with"),
        ({"x": x + 1j, "y": labels}, "x is of type complex128; expected numbers"),
        ({"x": np.zeros((0, 5)), "y": labels}, "x is empty; its shape is (0, 5)"),
        ({"x": np.float32(3), "y": labels}, "x is a single number"),
        ({"x": np.arange(80).reshape(40, 2) - 1, "y": labels}, "x holds the token -1; expected whole numbers from 0"),
        ({"x": x, "y": labels, "x_val": x}, "there is x_val and no y_val"),
        ({"x": x, "y": labels, "x_val": x[:, :4], "y_val": labels}, "a sample of x_val has the shape (4,), of x (5,)"),
        ({"x": x, "y": labels, "x_val": x, "y_val": amounts}, "y_val reads as regression, y as classification"),
        ({"x": x, "y": labels, "x_val": x, "y_val": labels + 1}, "y_val has the label 4, which y does not have"),
        ({"x": x, "y": labels, "x_val": x[:3], "y_val": labels}, "x_val has 3 samples, y_val has 40"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused_in_one_sentence(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    assert said in refusal(tmp_path, **arrays)


def test_every_array_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        load(tmp_path, x=hole, y=np.full(40, np.inf))
    assert [m.found.partition("[")[0] for m in refused.value.mistakes] == ["x", "y"]


class _Unpickled:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (os.environ["UNPICKLED"],))


def test_pickled_objects_are_refused_and_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNPICKLED", str(tmp_path / "executed"))
    said = refusal(tmp_path, x=x, y=np.array([_Unpickled()] * 40, dtype=object))
    assert said.startswith("y holds pickled Python objects, which are never read")
    (tmp_path / "samples.npz").write_bytes(pickle.dumps(_Unpickled()))
    with pytest.raises(Refused, match=r"samples\.npz: it is not an \.npz file"):
        load_data(data(tmp_path / "samples.npz"), seed=0)
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_is_answered_with_the_one_of_nearly_that_name(tmp_path: Path) -> None:
    saved(tmp_path, x=x, y=labels)
    with pytest.raises(Refused, match=r"there is no such file\. Did you mean .*samples\.npz\?"):
        load_data(data(tmp_path / "sample.npz"), seed=0)
    with pytest.raises(Refused, match=r"there is no such file\. Correct the path; it starts at"):
        load_data(data("nowhere/at/all"), seed=0)


def test_what_is_not_an_npz_is_refused_as_what_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    os.mkfifo(tmp_path / "pipe")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x", "text")
        archive.writestr("y", "text")
    for name, said in {
        "": "it is a folder",
        "x.npy": "it is not an .npz file",
        "pipe": "it is a device or a pipe",
        "other.zip": "x is not a NumPy array",
    }.items():
        with pytest.raises(Refused, match=said):
            load_data(data(tmp_path / name), seed=0)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_refused_in_one_sentence_or_reads_as_it_was(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "samples.npz"
    np.savez_compressed(file, x=x, y=labels)
    whole = bytearray(file.read_bytes())
    damage = np.random.default_rng(seed)
    if seed % 4 == 0:
        del whole[int(damage.integers(len(whole))) :]
    else:
        whole[int(damage.integers(len(whole)))] ^= 1 << int(damage.integers(8))
    file.write_bytes(whole)
    loaded = None
    mistakes: tuple[Mistake, ...] = ()
    try:
        loaded = load_data(data(file), seed=0)
    except Refused as refused:
        mistakes = refused.mistakes
    assert all(m.path == "data.path" and "\n" not in str(m) for m in mistakes)
    if loaded is not None:
        assert np.array_equal(loaded.x.numpy(), x.astype(np.float32)) and loaded.y.tolist() == labels.tolist()


def test_arrays_that_fit_as_they_are_are_not_copied(tmp_path: Path) -> None:
    from engine.data.arrays import _input

    given = np.ones((4, 3, 8, 8), dtype=np.float32)
    checked = _input("x", given)
    assert isinstance(checked, tuple) and checked[1] is given


def test_one_sample_alone_is_trained_on_and_the_empty_validation_part_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, x=x[:1], y=amounts[:1])
    assert loaded.description.train_samples == 1 and loaded.description.val_samples == 0
    assert any("validation part is empty" in note for note in loaded.description.notes)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("y", 1e9 + np.linspace(-2, 2, 40), "y goes from 999999998 to 1000000002"),
        (
            "y",
            np.stack([np.arange(40.0), 1e6 + np.linspace(0, 1, 40)], 1),
            "y goes from 1000000 to 1000001 in column 1",
        ),
        ("x", np.stack([np.arange(40.0), -1e12 + np.arange(40.0)], 1), "in column 1"),
        ("y", 1.7e9 + 86400.0 * np.arange(40), ""),
        ("y", np.full(40, 1e9), ""),
        ("y", (1e9 + np.linspace(-2, 2, 40)).astype(np.float32), ""),
        ("x", np.random.default_rng(0).normal(size=(40, 2)), ""),
    ],
)
def test_numbers_that_float32_cannot_tell_apart_are_refused(tmp_path: Path, name: str, values, found: str) -> None:
    given = {"x": np.ones((40, 2), np.float32) * np.arange(40)[:, None], "y": np.linspace(0, 1, 40)} | {name: values}
    np.savez(tmp_path / "far.npz", **given)
    asked = Data(source="arrays", path=str(tmp_path / "far.npz"))
    if not found:
        load_data(asked, seed=0)
        return
    with pytest.raises(Refused) as refused:
        load_data(asked, seed=0)
    assert found in str(refused.value) and "float32" in str(refused.value)
