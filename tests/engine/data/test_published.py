"""torchvision's sets, in small: files of the published formats, read by torchvision's own classes."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import published_files as files
import pytest
import torch

from engine.data import Dataset, load_data
from engine.data.load import describe, forget
from engine.data.published.plain_pickles import NotPlain, read_plain
from engine.data.published.sets import PUBLISHED_SETS
from engine.data.sources import SOURCES
from engine.data.sources.torchvision_sets import TORCHVISION_SETS
from engine.experiment import Data, Refused


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def data(source: str, root: Path, **fields: Any) -> Data:
    return Data.model_validate({"source": source, "root": str(root), **fields})


def load(source: str, root: Path, **fields: Any) -> Dataset:
    forget()
    return load_data(data(source, root, **fields), seed=0)


def refusal(source: str, root: Path, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        load(source, root, **fields)
    (mistake,) = refused.value.mistakes
    assert "\n" not in str(mistake)
    return str(mistake)


Make = Callable[..., Any]

SMALL: dict[str, tuple[Make, tuple[int, ...], int, tuple[int, int, int]]] = {
    # What is written; the shape of an image, the classes, and how many are trained, validated and tested on.
    "mnist": (files.mnist, (1, 28, 28), 10, (48, 12, 20)),
    "fashion-mnist": (lambda root: files.mnist(root, "FashionMNIST"), (1, 28, 28), 10, (48, 12, 20)),
    "kmnist": (lambda root: files.mnist(root, "KMNIST"), (1, 28, 28), 10, (48, 12, 20)),
    "qmnist": (files.qmnist, (1, 28, 28), 10, (48, 12, 40)),
    "usps": (files.usps, (1, 16, 16), 10, (32, 8, 20)),
    "semeion": (files.semeion, (1, 16, 16), 10, (32, 8, 0)),
    "cifar10": (files.cifar, (3, 32, 32), 10, (80, 20, 20)),
    "cifar100": (lambda root, patch: files.cifar(root, patch, 100), (3, 32, 32), 100, (160, 40, 200)),
    "svhn": (files.svhn, (3, 32, 32), 10, (48, 12, 20)),
    "stl10": (files.stl10, (3, 96, 96), 10, (24, 6, 30)),
    "gtsrb": (files.gtsrb, (3, 32, 32), 4, (16, 4, 8)),
    "flowers102": (files.flowers, (3, 224, 224), 102, (12, 6, 12)),
    "oxford-iiit-pet": (files.pets, (3, 224, 224), 3, (10, 2, 12)),
    "food101": (files.food, (3, 224, 224), 2, (10, 2, 4)),
    "dtd": (files.dtd, (3, 224, 224), 2, (8, 8, 8)),
    "eurosat": (files.eurosat, (3, 64, 64), 2, (16, 4, 0)),
    "fgvc-aircraft": (files.aircraft, (3, 224, 224), 2, (8, 8, 8)),
    "country211": (
        lambda root: files.class_folders(root, "country211", ("train", "valid", "test"), ("AD", "AE"), "jpg"),
        (3, 224, 224),
        2,
        (8, 8, 8),
    ),
    "rendered-sst2": (
        lambda root: files.class_folders(
            root, "rendered-sst2", ("train", "valid", "test"), ("negative", "positive"), "png"
        ),
        (3, 224, 224),
        2,
        (8, 8, 8),
    ),
    "imagenette": (
        lambda root: files.class_folders(root, "imagenette2-160", ("train", "val"), ("n01440764", "n02102040"), "jpeg"),
        (3, 224, 224),
        2,
        (8, 8, 0),
    ),
}


def write(source: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = SMALL[source][0]
    make(root, monkeypatch) if {"patch", "monkeypatch"} & set(inspect.signature(make).parameters) else make(root)


@pytest.mark.parametrize("source", SMALL)
def test_a_set_in_its_published_format_has_its_published_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    write(source, tmp_path, monkeypatch)
    _, shape, classes, parts = SMALL[source]
    loaded = load(source, tmp_path)
    d = loaded.description
    assert (d.task, d.input_kind, d.stored, d.input_shape) == ("classification", "image", "uint8", shape)
    assert len(d.classes) == classes and (d.train_samples, d.val_samples, d.test_samples) == parts
    assert loaded.y.tolist() == load(source, tmp_path).y.tolist() and int(loaded.y.max()) < classes
    assert loaded.inputs(torch.arange(4)).dtype == torch.float32
    every = torch.cat([loaded.train, loaded.validation, loaded.test])
    assert len(every.unique()) == len(every) == len(loaded.y)


@pytest.mark.parametrize("source", [source for source in SMALL if SMALL[source][3][2]])
def test_the_test_part_is_validated_on_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    write(source, tmp_path, monkeypatch)
    usual = load(source, tmp_path)
    for fields in ({"validation_from": "test"}, {"validation": 0.0}):
        loaded = load(source, tmp_path, **fields)
        assert len(loaded.validation) == len(usual.test) and len(loaded.test) == 0
        assert torch.equal(loaded.x[loaded.validation], usual.x[usual.test])
        assert any("no longer test scores" in note for note in loaded.description.notes)


def test_pixels_and_labels_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = files.mnist(tmp_path)
    loaded = load("mnist", tmp_path)
    assert np.array_equal(loaded.x[:60, 0].numpy(), written["train"][0])
    assert loaded.y[60:].tolist() == written["t10k"][1].tolist() and loaded.description.classes[3] == "3 - three"
    batches = files.cifar(tmp_path, monkeypatch)
    loaded = load("cifar10", tmp_path)
    assert np.array_equal(loaded.x[:20].numpy(), batches["data_batch_1"][0])
    assert np.array_equal(loaded.x[100:].numpy(), batches["test_batch"][0])
    assert loaded.description.classes[3] == "thing 3" and loaded.x.is_contiguous()


def test_a_tenth_house_number_is_a_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.svhn(tmp_path, monkeypatch)
    loaded = load("svhn", tmp_path)
    assert loaded.y[:11].tolist() == [*range(10), 0]


def test_parameters_of_a_set_are_torchvisions(tmp_path: Path) -> None:
    files.emnist(tmp_path)
    assert len(load("emnist", tmp_path, split="letters").description.classes) == 27
    files.pets(tmp_path)
    pets = load("oxford-iiit-pet", tmp_path, target_types="binary-category", size=16)
    assert pets.description.classes == ("Cat", "Dog") and pets.description.input_shape == (3, 16, 16)


def test_what_is_declared_is_what_torchvision_declares() -> None:
    from torchvision import datasets

    for source in TORCHVISION_SETS:
        torch_class = getattr(datasets, source.published.torch_name)
        declared = set(inspect.signature(torch_class).parameters)
        if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(torch_class).parameters.values()):
            declared |= set(inspect.signature(torch_class.__mro__[1]).parameters)
        for arguments in source()._published().parts.values():
            assert set(arguments) <= declared, source.name
        assert source.name.replace("-", "") == source.published.torch_name.lower()
        assert SOURCES[source.name] is source
    emnist = next(source.published.option for source in TORCHVISION_SETS if source.name == "emnist")
    assert emnist is not None and set(datasets.EMNIST.splits) == set(emnist.variants)
    for split, names in datasets.EMNIST.classes_split_dict.items():
        assert emnist.variants[split].classes == len(names)


@pytest.mark.parametrize("source", SMALL)
def test_a_set_that_is_not_here_is_described_without_it(tmp_path: Path, source: str) -> None:
    description = describe(data(source, tmp_path), seed=0)
    published = next(row for row in PUBLISHED_SETS if row.name == source)
    assert description.outputs == published.classes
    assert description.input_shape == SMALL[source][1]
    assert description.train_samples + description.val_samples + description.test_samples == sum(published.samples)
    assert list(tmp_path.iterdir()) == []
    said = refusal(source, tmp_path)
    assert f"{source} is not in {tmp_path} yet" in said and f"torchdeck data {source}" in said


class Stranger:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.file}",))


def test_a_strangers_pickle_in_the_place_of_cifar_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = tmp_path / "touched"
    files.cifar(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(pickle.dumps(Stranger(touched)))
    said = refusal("cifar10", tmp_path)
    assert "are not the published ones" in said and "Remove the files" in said and not touched.exists()


def test_not_even_a_pickle_of_the_right_md5_can_do_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = tmp_path / "touched"
    files.cifar(tmp_path, monkeypatch, extra=Stranger(touched))
    said = refusal("cifar10", tmp_path)
    assert "system" in said and "which plain values do not need" in said and not touched.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_the_pickles_of_pythons_2_and_3_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    files.cifar(tmp_path, monkeypatch, protocol=protocol)
    assert load("cifar10", tmp_path).x.shape == (120, 3, 32, 32)
    import torchvision.datasets.cifar

    assert torchvision.datasets.cifar.pickle is pickle


PYTHON_2 = (  # as cPickle of Python 2 with NumPy 1 writes {"data": array([[1, 2, 3]], dtype=uint8), "labels": [4, 300]}
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05"
    b"(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    b"\x89U\x03\x01\x02\xfftbU\x06labelsq\x08]q\x09(K\x04M,\x01eu."
)


def test_a_pickle_of_python_2_is_read_as_the_originals_are() -> None:
    found = read_plain(io.BytesIO(PYTHON_2))
    assert found["data"].tolist() == [[1, 2, 255]] and found["data"].dtype == np.uint8 and found["labels"] == [4, 300]
    unpickled = pickle.loads(PYTHON_2, encoding="latin1")
    assert np.array_equal(unpickled["data"], found["data"]) and unpickled["labels"] == found["labels"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}",
        PYTHON_2[:-10],
        b"\x80\x02cos\nsystem\nU\x04true\x85R.",
        b"\x80\x02cos\nsystem\n.",
        b"(S'true'\nios\nsystem\n.",
        pickle.dumps(np.array([object()]), protocol=2),
        pickle.dumps(Path("x"), protocol=4),
        pickle.dumps({1, 2}, protocol=4),
        b"\x80\x02h\x05.",
    ],
)
def test_what_is_no_pickle_of_plain_values_is_refused(content: bytes) -> None:
    with pytest.raises(NotPlain):
        read_plain(io.BytesIO(content))


def broken_idx(root: Path, content: bytes) -> None:
    files.mnist(root)
    (root / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08\x03",
        files.idx(np.zeros((60, 28, 28), np.uint8))[:-100],
        files.idx(np.zeros((60, 28, 28), np.int32)),
        files.idx(np.zeros((60, 28), np.uint8)),
        b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100),
        b"<!DOCTYPE html>" * 100,
    ],
    ids=["empty", "head", "short", "wide", "flat", "vast", "page"],
)
def test_a_damaged_file_of_mnist_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    broken_idx(tmp_path, content)
    said = refusal("mnist", tmp_path)
    assert said.startswith(
        f"data.root mnist: its files in {tmp_path} are not the published ones; torchvision reports: "
    )


@pytest.mark.parametrize("source", ["svhn", "stl10", "semeion", "flowers102"])
def test_a_file_that_is_not_what_was_published_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    write(source, tmp_path, monkeypatch)
    name = {"svhn": "test_32x32.mat", "stl10": "stl10_binary/test_X.bin", "semeion": "semeion.data"}
    file = tmp_path / name.get(source, "flowers-102/setid.mat")
    file.write_bytes(file.read_bytes()[:-50])
    assert "are not the published ones" in refusal(source, tmp_path)


def test_a_photo_of_a_set_that_is_damaged_or_gone_is_named(tmp_path: Path) -> None:
    files.food(tmp_path)
    (tmp_path / "food-101" / "images" / "waffles" / "train0.jpg").unlink()
    (tmp_path / "food-101" / "images" / "apple_pie" / "test1.jpg").write_bytes(b"")
    with pytest.raises(Refused) as refused:
        load("food101", tmp_path, size=16)
    said = sorted(map(str, refused.value.mistakes))
    assert "food-101/images/apple_pie/test1.jpg: it is empty" in said[0]
    assert "food-101/images/waffles/train0.jpg: it cannot be read (No such file or directory)" in said[1]


def test_nothing_of_torchvision_is_loaded_to_say_what_sets_there_are() -> None:
    import subprocess

    code = "import sys; from engine.data.sources import SOURCES; assert len(SOURCES) > 25; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"'torch'", "'torchvision'", "'numpy'", "'PIL'"} & set(loaded.strip("[]\n").split(", "))
