"""Small sets of images in the formats that the originals were published in."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

rng = np.random.default_rng(0)


def digits(count: int, classes: int = 10, side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) that are brighter the higher their class is, and their classes, every one there."""
    labels = np.arange(count) % classes
    images = rng.integers(0, 100, (count, side, side)) + (labels * 150 // classes)[:, None, None]
    return images.astype(np.uint8), labels


def photos(count: int, classes: int = 10, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, H, W) of which the same holds."""
    grey, labels = digits(count, classes, side)
    return np.stack([grey, grey // 2, 255 - grey], axis=1), labels


def idx(array: np.ndarray) -> bytes:
    """The IDX format: two zero bytes, type, dimensions, their sizes, values; all big-endian. http://yann.lecun.com"""
    kinds = {"uint8": 0x08, "int32": 0x0C}
    head = bytes([0, 0, kinds[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist(root: Path, name: str = "MNIST", train: int = 60, test: int = 20, *, packed: bool = False) -> dict[str, Any]:
    """The four files of MNIST and its like: as they lie when they are unpacked, or gzipped as they are published."""
    folder = root / name / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for part, count in (("train", train), ("t10k", test)):
        images, labels = digits(count)
        written[part] = images, labels
        for kind, array in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
            content = idx(array)
            file = folder / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
            file.write_bytes(gzip.compress(content) if packed else content)
    return written


def emnist(root: Path, split: str = "letters", classes: int = 27) -> None:
    """EMNIST's files of one way to sort it; letters are numbered from 1."""
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 108), ("test", 54)):
        images, labels = digits(count, classes - 1 if split == "letters" else classes)
        labels = labels + (split == "letters")
        (folder / f"emnist-{split}-{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"emnist-{split}-{part}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))


def qmnist(root: Path) -> None:
    """QMNIST's files: labels are rows of eight numbers, the class first."""
    folder = root / "QMNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 60), ("test", 40)):
        images, labels = digits(count)
        rows = np.full((count, 8), 7, np.int32)
        rows[:, 0] = labels
        (folder / f"qmnist-{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"qmnist-{part}-labels-idx2-int").write_bytes(idx(rows))


def cifar(
    root: Path, monkeypatch: pytest.MonkeyPatch, classes: int = 10, protocol: int = 2, extra: Any = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """CIFAR's python version: pickled dictionaries of rows of 3,072 bytes; and the MD5 that torchvision compares."""
    from torchvision import datasets

    torch_class = datasets.CIFAR100 if classes == 100 else datasets.CIFAR10
    folder = root / torch_class.base_folder
    folder.mkdir(parents=True, exist_ok=True)
    key = "fine_labels" if classes == 100 else "labels"
    written = {}

    def write(name: str, content: object) -> str:
        data = pickle.dumps(content, protocol=protocol)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    for field in ("train_list", "test_list"):
        entries = []
        for name, _ in getattr(torch_class, field):
            images, labels = photos(200 if classes == 100 else 20, classes)
            written[name] = images, labels
            content = {"data": images.reshape(len(images), -1), key: labels.tolist(), "batch_label": name}
            entries.append([name, write(name, content if extra is None else {**content, "more": extra})])
        monkeypatch.setattr(torch_class, field, entries)
    names = [f"thing {i}" for i in range(classes)]
    md5 = write(torch_class.meta["filename"], {torch_class.meta["key"]: names})
    monkeypatch.setattr(torch_class, "meta", {**torch_class.meta, "md5": md5})
    return written


def svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SVHN's MATLAB files: X is (H, W, 3, N), y is (N, 1) with 10 for the digit 0."""
    from scipy.io import savemat
    from torchvision import datasets

    entries = dict(datasets.SVHN.split_list)
    for part, count in (("train", 60), ("test", 20)):
        images, labels = photos(count)
        url, name, _ = entries[part]
        file = root / name
        root.mkdir(parents=True, exist_ok=True)
        y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(file, {"X": images.transpose(2, 3, 1, 0), "y": y})
        entries[part] = [url, name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", entries)


def stl10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STL-10's binary files: (N, 3, W, H) bytes, column after column, and labels from 1."""
    from torchvision import datasets

    folder = root / "stl10_binary"
    folder.mkdir(parents=True, exist_ok=True)
    for field in ("train_list", "test_list"):
        entries = []
        images, labels = photos(30, side=96)
        for name, _ in getattr(datasets.STL10, field):
            content = b"" if "unlabeled" in name else None
            if name.endswith("X.bin") and content is None:
                content = images.transpose(0, 1, 3, 2).tobytes()
            elif content is None:
                content = (labels + 1).astype(np.uint8).tobytes()
            (folder / name).write_bytes(content)
            entries.append([name, hashlib.md5(content).hexdigest()])
        monkeypatch.setattr(datasets.STL10, field, entries)
    (folder / "class_names.txt").write_text("\n".join(f"thing {i}" for i in range(10)))
    (folder / "fold_indices.txt").write_text("0 1 2\n")


def usps(root: Path) -> None:
    """USPS as LIBSVM has it: lines of `label index:value`, values from -1 to 1, bzipped."""
    root.mkdir(parents=True, exist_ok=True)
    for name, count in (("usps.bz2", 40), ("usps.t.bz2", 20)):
        images, labels = digits(count, side=16)
        lines = [
            " ".join([str(label + 1), *(f"{i + 1}:{v / 127.5 - 1:.4f}" for i, v in enumerate(image.reshape(-1)))])
            for image, label in zip(images, labels, strict=True)
        ]
        (root / name).write_bytes(bz2.compress(("\n".join(lines) + "\n").encode()))


def jpeg(file: Path, shade: int, size: tuple[int, int] = (40, 60)) -> None:
    """A photo of one shade, whose sides are its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    pixels = np.full((*size, 3), shade, np.uint8)
    Image.fromarray(pixels).save(
        content, "PPM" if file.suffix == ".ppm" else "PNG" if file.suffix == ".png" else "JPEG"
    )
    file.write_bytes(content.getvalue())


def gtsrb(root: Path, classes: int = 4) -> None:
    """GTSRB: PPM files in folders of five digits; the classes of the test part in a table."""
    base = root / "gtsrb"
    for label in range(classes):
        for number in range(5):
            jpeg(base / "GTSRB" / "Training" / f"{label:05}" / f"{number:05}.ppm", 40 * label, (20 + number, 30))
    rows = [(f"{number:05}.ppm", number % classes) for number in range(8)]
    for name, label in rows:
        jpeg(base / "GTSRB" / "Final_Test" / "Images" / name, 40 * label)
    with open(base / "GT-final_test.csv", "w", newline="") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["Filename", "Width", "Height", "ClassId"])
        table.writerows([name, 60, 40, label] for name, label in rows)


def flowers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flowers102: numbered photos, labels and parts in MATLAB files."""
    from scipy.io import savemat
    from torchvision import datasets

    base = root / "flowers-102"
    (base / "jpg").mkdir(parents=True)
    for number in range(1, 31):
        jpeg(base / "jpg" / f"image_{number:05}.jpg", 8 * number)
    savemat(base / "imagelabels.mat", {"labels": np.arange(30)[None] % 3 + 1})
    parts = {"trnid": np.arange(1, 13), "valid": np.arange(13, 19), "tstid": np.arange(19, 31)}
    savemat(base / "setid.mat", {name: ids[None] for name, ids in parts.items()})
    files = dict(datasets.Flowers102._file_dict)
    for key in ("label", "setid"):
        name = files[key][0]
        files[key] = (name, hashlib.md5((base / name).read_bytes()).hexdigest())
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", files)


def pets(root: Path) -> None:
    """The Oxford pets: photos named by their breed, lists of name, breed, species and number."""
    base = root / "oxford-iiit-pet"
    (base / "annotations" / "trimaps").mkdir(parents=True)
    breeds = [("Abyssinian", 1, 1), ("beagle", 2, 2), ("Birman", 3, 1)]
    for part in ("trainval", "test"):
        lines = []
        for name, breed, species in breeds:
            for number in range(4):
                image = f"{name}_{part}_{number}"
                jpeg(base / "images" / f"{image}.jpg", 60 * breed)
                lines.append(f"{image} {breed} {species} {number}")
        (base / "annotations" / f"{part}.txt").write_text("\n".join(lines))


def food(root: Path) -> None:
    """Food-101: folders of classes, and the parts as JSON."""
    base = root / "food-101"
    (base / "meta").mkdir(parents=True)
    for part, count in (("train", 6), ("test", 2)):
        named = {name: [f"{name}/{part}{i}" for i in range(count)] for name in ("apple_pie", "waffles")}
        (base / "meta" / f"{part}.json").write_text(json.dumps(named))
        for name, files in named.items():
            for file in files:
                jpeg(base / "images" / f"{file}.jpg", 50 + 100 * (name == "waffles"))


def dtd(root: Path) -> None:
    """Describable textures: folders of classes, and lists of each of ten ways to part them."""
    base = root / "dtd" / "dtd"
    (base / "labels").mkdir(parents=True)
    for part in ("train", "val", "test"):
        lines = [f"{name}/{name}_{part}{i}.jpg" for name in ("banded", "zigzagged") for i in range(4)]
        for line in lines:
            jpeg(base / "images" / line, 90)
        (base / "labels" / f"{part}1.txt").write_text("\n".join(lines))


def eurosat(root: Path) -> None:
    """EuroSAT: folders of classes, no parts."""
    for name in ("Forest", "River"):
        for number in range(10):
            jpeg(root / "eurosat" / "2750" / name / f"{name}_{number}.jpg", 80, (64, 64))


def aircraft(root: Path) -> None:
    """FGVC aircraft: photos by number, and lists of number and name."""
    base = root / "fgvc-aircraft-2013b" / "data"
    (base / "images").mkdir(parents=True)
    (base / "variants.txt").write_text("707-320\nA380\n")
    number = 0
    for part in ("train", "val", "test"):
        lines = []
        for name in ("707-320", "A380"):
            for _ in range(4):
                number += 1
                jpeg(base / "images" / f"{number:07}.jpg", 70)
                lines.append(f"{number:07} {name}")
        (base / f"images_variant_{part}.txt").write_text("\n".join(lines) + "\n")


def class_folders(root: Path, folder: str, parts: tuple[str, ...], classes: tuple[str, ...], suffix: str) -> None:
    """Folders of parts with folders of classes in them."""
    for part in parts:
        for name in classes:
            for number in range(4):
                jpeg(root / folder / part / name / f"{number}.{suffix}", 60)


def semeion(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Semeion: lines of 256 bits and ten for the class."""
    from torchvision import datasets

    root.mkdir(parents=True, exist_ok=True)
    images, labels = digits(40, side=16)
    table = np.concatenate([(images > 120).reshape(40, -1), np.eye(10)[labels]], axis=1)
    np.savetxt(root / "semeion.data", table, fmt="%.4f")
    monkeypatch.setattr(datasets.SEMEION, "md5_checksum", hashlib.md5((root / "semeion.data").read_bytes()).hexdigest())
