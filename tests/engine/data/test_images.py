import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data import Dataset, load_data
from engine.data.cache import cache_folder
from engine.data.load import forget
from engine.data.progress import progress_to
from engine.experiment import Data, Refused

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def picture(*size: int, colour: bool = True) -> np.ndarray:
    return rng.integers(0, 256, (*size, 3) if colour else size, dtype=np.uint8)


def save(file: Path, pixels: np.ndarray, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, **options)
    return file


def folder_of(root: Path, *, classes: tuple[str, ...] = ("cat", "dog"), each: int = 5, size: int = 8) -> dict[str, Any]:
    """Pixels by name of the files that are written."""
    written = {}
    for name in classes:
        for number in range(each):
            pixels = picture(size, size)
            save(root / name / f"{number}.png", pixels)
            written[f"{name}/{number}.png"] = pixels
    return written


def data(root: Path, **fields: Any) -> Data:
    return Data.model_validate({"source": "images", "path": str(root), "validation": 0.2, **fields})


def load(root: Path, **fields: Any) -> Dataset:
    forget()
    return load_data(data(root, **fields), seed=0)


def refusal(root: Path, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        load(root, **fields)
    return str(refused.value)


@pytest.mark.parametrize("cache", [True, False])
def test_every_pixel_of_a_folder_comes_with_the_class_of_its_folder(tmp_path: Path, cache: bool) -> None:
    written = folder_of(tmp_path / "zoo", classes=("dog", "ant", "cat"))
    loaded = load(tmp_path / "zoo", cache=cache)
    d = loaded.description
    assert (d.task, d.input_kind, d.input_shape, d.stored) == ("classification", "image", (3, 8, 8), "uint8")
    assert d.classes == ("ant", "cat", "dog") and (d.train_samples, d.val_samples) == (12, 3)
    for index, (name, pixels) in enumerate(sorted(written.items())):
        assert np.array_equal(loaded.x[index].permute(1, 2, 0).numpy(), pixels)
        assert d.classes[int(loaded.y[index])] == name.partition("/")[0]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_each_format_is_read(tmp_path: Path, suffix: str) -> None:
    smooth = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    for name in ("a", "b"):
        save(tmp_path / name / f"one.{suffix.upper()}", smooth, **({"lossless": True} if suffix == "webp" else {}))
        save(tmp_path / name / f"two.{suffix}", smooth, **({"lossless": True} if suffix == "webp" else {}))
    x = load(tmp_path).x
    assert x.shape == (4, 3, 32, 32)
    assert int((x[0].permute(1, 2, 0).int() - torch.from_numpy(smooth).int()).abs().max()) <= (
        40 if suffix == "jpg" else 0
    )


def test_folders_of_parts_are_the_parts(tmp_path: Path) -> None:
    for part, each in (("train", 4), ("val", 2), ("test", 3)):
        folder_of(tmp_path / part, each=each)
    loaded = load(tmp_path)
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (8, 4, 6)
    assert loaded.y[loaded.validation].tolist() == [0, 0, 1, 1]
    assert any("validation part is the folder val" in note for note in loaded.description.notes)


def test_what_has_no_folder_is_drawn_from_the_training_folder(tmp_path: Path) -> None:
    folder_of(tmp_path / "Train", each=10)
    folder_of(tmp_path / "Test", each=3)
    loaded = load(tmp_path, validation=0.2)
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (16, 4, 6)
    assert int(torch.cat([loaded.train, loaded.validation]).max()) < 20 <= int(loaded.test.min())


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder_of(tmp_path, classes=("train", "plane"))
    assert load(tmp_path).description.classes == ("plane", "train")


def test_images_in_folders_of_a_class_folder_are_of_that_class(tmp_path: Path) -> None:
    folder_of(tmp_path)
    save(tmp_path / "cat" / "more" / "and more" / "x.png", picture(8, 8))
    assert torch.bincount(load(tmp_path).y).tolist() == [6, 5]


@pytest.mark.parametrize("cache", [True, False])
def test_images_are_grey_only_if_all_are(tmp_path: Path, cache: bool) -> None:
    grey = [picture(8, 8, colour=False) for _ in range(4)]
    for number, pixels in enumerate(grey):
        save(tmp_path / "ab"[number % 2] / f"{number}.png", pixels)
    assert load(tmp_path, cache=cache).x.shape == (4, 1, 8, 8)
    save(tmp_path / "b" / "9.png", picture(8, 8))
    x = load(tmp_path, cache=cache).x
    assert x.shape == (5, 3, 8, 8)
    for channel in range(3):
        assert np.array_equal(x[0, channel].numpy(), grey[0])
    assert load(tmp_path, mode="grey", cache=cache).x.shape == (5, 1, 8, 8)


def test_images_of_any_size_are_brought_to_one(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", np.full((40, 60, 3), 200, np.uint8))
    save(tmp_path / "b" / "1.png", np.full((7, 3, 3), 100, np.uint8))
    x = load(tmp_path, size=[16, 12]).x
    assert x.shape == (2, 3, 16, 12)
    assert x[0].unique().tolist() == [200] and x[1].unique().tolist() == [100]
    assert load(tmp_path, size=9).x.shape == (2, 3, 9, 9)


def test_smaller_images_are_averages_as_of_torchvision(tmp_path: Path) -> None:
    from torchvision.transforms.v2 import functional

    pixels = picture(64, 48)
    for name in ("a", "b"):
        save(tmp_path / name / "1.png", pixels)
    expected = functional.resize(torch.from_numpy(pixels).permute(2, 0, 1), [16, 16], antialias=True)
    assert int((load(tmp_path, size=16).x[0].int() - expected.int()).abs().max()) <= 1


def test_cropping_takes_the_middle_and_stretching_all(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    for name in ("a", "b"):
        save(tmp_path / name / "1.png", wide)
    assert float(load(tmp_path, size=10, fit="crop").x[0].float().mean()) == 255
    assert float(load(tmp_path, size=10).x[0].float().mean()) == pytest.approx(85, abs=4)


def test_a_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    upright = np.zeros((32, 16, 3), np.uint8)
    upright[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    for name in ("a", "b"):
        save(tmp_path / name / "1.jpg", np.rot90(upright).copy(), exif=exif.tobytes(), quality=95)
    for fields in ({}, {"size": [32, 16]}):
        x = load(tmp_path, **fields).x[0].int()
        assert x.shape == (3, 32, 16)
        assert int(x[:, :12].min()) > 240 and int(x[:, 20:].max()) < 15


def test_sixteen_bits_become_eight_and_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    deep = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    save(tmp_path / "a" / "deep.png", deep)
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4, :, 3] = 255
    save(tmp_path / "b" / "clear.png", clear)
    save(tmp_path / "b" / "cmyk.tif", picture(8, 8))
    Image.fromarray(picture(8, 8)).convert("CMYK").save(tmp_path / "b" / "cmyk.tif")
    loaded = load(tmp_path)
    assert np.array_equal(loaded.x[0, 0].numpy(), np.round(deep / 63000 * 255).astype(np.uint8))
    assert loaded.x[1, :, :4].unique().tolist() == [0] and loaded.x[1, :, 4:].unique().tolist() == [255]
    notes = " ".join(loaded.description.notes)
    for word in ("16 bits", "a/deep.png", "transparent", "b/clear.png", "CMYK", "b/cmyk.tif"):
        assert word in notes


def test_sizes_that_differ_are_named_with_a_size_to_set(tmp_path: Path) -> None:
    folder_of(tmp_path)
    save(tmp_path / "dog" / "large.png", picture(9, 12))
    said = refusal(tmp_path)
    assert "data.size: cat/0.png has 8×8 pixels, like 10 of 11 images; dog/large.png has 9×12" in said
    assert "Set data.size = [8, 8]" in said
    assert load(tmp_path, size=[8, 8]).x.shape == (11, 3, 8, 8)


def test_a_second_start_decodes_nothing_and_an_image_that_changed_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = folder_of(tmp_path)
    first = load(tmp_path)

    def said(what: str, done: int, total: int) -> None:
        done_.append(what)

    done_: list[str] = []
    with progress_to(said):
        again = load(tmp_path)
    assert "Checking images" not in done_ and torch.equal(first.x, again.x)
    new = picture(8, 8)
    save(tmp_path / "cat" / "0.png", new)
    with progress_to(said):
        changed = load(tmp_path)
    assert "Checking images" in done_
    assert np.array_equal(changed.x[0].permute(1, 2, 0).numpy(), new)
    assert np.array_equal(changed.x[1].permute(1, 2, 0).numpy(), written["cat/1.png"])


def test_what_is_kept_is_the_owners_alone_and_one_file_of_raw_pixels(tmp_path: Path) -> None:
    folder_of(tmp_path)
    loaded = load(tmp_path)
    save(tmp_path / "cat" / "9.png", picture(8, 8))
    loaded = load(tmp_path)
    kept = sorted(cache_folder().iterdir(), key=lambda file: file.suffix)
    assert [file.suffix for file in kept] == [".json", ".pixels"]
    assert kept[1].stat().st_size == loaded.x.nbytes == 11 * 8 * 8 * 3
    for file in kept:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["shorter", "gone", "record"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: str) -> None:
    folder_of(tmp_path)
    before = load(tmp_path).x.clone()
    record, pixels = sorted(cache_folder().iterdir(), key=lambda file: file.suffix)
    if damage == "shorter":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    elif damage == "gone":
        pixels.unlink()
    else:
        record.write_bytes(record.read_bytes()[:-3] + b"}}}")
    assert torch.equal(load(tmp_path).x, before)


def test_samples_take_their_pixels_and_no_copy(tmp_path: Path) -> None:
    folder_of(tmp_path)
    x = load(tmp_path).x
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x.untyped_storage().nbytes() == x.nbytes


def test_images_that_do_not_fit_in_the_cache_are_decoded_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, size=16)
    kept = load(tmp_path)
    monkeypatch.setattr("engine.data.images.reading.CACHE_BYTES", 100)
    forget()
    for file in cache_folder().iterdir():
        file.unlink()
    read = load(tmp_path)
    assert not isinstance(read.x, torch.Tensor) and len(read.x) == 10
    assert any("decoded for each batch" in note and "limit" in note for note in read.description.notes)
    assert torch.equal(read.x[:], kept.x) and read.learned == kept.learned
    again = pickle.loads(pickle.dumps(read.x))
    assert len(pickle.dumps(read.x)) < 2000 and torch.equal(again[torch.tensor([3, 7])], kept.x[[3, 7]])


def test_nothing_of_the_other_parts_reaches_what_is_learned(tmp_path: Path) -> None:
    folder_of(tmp_path)
    before = load(tmp_path)
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(5)]
    for index in before.validation.tolist():
        save(tmp_path / names[index], np.zeros((8, 8, 3), np.uint8))
    after = load(tmp_path)
    assert json.dumps(before.learned) == json.dumps(after.learned) and before.learned["normalization"]
    assert not torch.equal(before.x, after.x)


def test_giving_up_while_images_are_looked_at_leaves_nothing(tmp_path: Path) -> None:
    folder_of(tmp_path, each=40)

    def give_up(what: str, done: int, total: int) -> None:
        if what == "Checking images":
            raise KeyboardInterrupt

    with progress_to(give_up), pytest.raises(KeyboardInterrupt):
        load(tmp_path)
    assert list(cache_folder().iterdir()) == []


def test_a_home_that_cannot_be_written_costs_only_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "zoo")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    loaded = load(tmp_path / "zoo")
    assert loaded.x[:].shape == (10, 3, 8, 8)
    assert any("cannot be written" in note for note in loaded.description.notes)


def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "zoo")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load(Path("~/zoo")).x) == 10
    assert os.path.isabs(load(Path("~/zoo"), cache=False).x.root)
