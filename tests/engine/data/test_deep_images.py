"""Images of more than 8 bits a channel keep their detail: the range of the training part becomes 0 to 255."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deep_files
import numpy as np
import pytest
import torch
import warm_torchdeck
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import Dataset, load_data
from engine.data.images.deep import deep
from engine.data.load import forget
from engine.data.progress import progress_to
from engine.data.recorded import RecordedData
from engine.experiment import Data, Refused, read
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

SIDE = 12
EXAMPLES = 3000 if os.environ.get("TORCHDECK_THOROUGH") else 60
Write = Callable[[np.ndarray, Path], None]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def load(root: Path, recorded: RecordedData = RecordedData(), **fields: Any) -> Dataset:  # noqa: B008 - frozen
    forget()
    fields = {"source": "images", "path": str(root), "validation": 0.25, **fields}
    return load_data(Data.model_validate(fields), 0, recorded)


def folder(root: Path, write: Write, suffix: str, images: list[np.ndarray]) -> Path:
    """Images of two classes in turn."""
    for number, pixels in enumerate(images):
        file = root / "ab"[number % 2] / f"{number:02}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        write(pixels, file)
    return root


def twelve_bits(channels: int = 1, count: int = 8, low: int = 100, high: int = 4095) -> list[np.ndarray]:
    """As a camera of 12 bits gives them; each image has both ends of the range."""
    shape = (SIDE, SIDE) if channels == 1 else (SIDE, SIDE, channels)
    images = [np.random.default_rng(i).integers(low, high + 1, shape) for i in range(count)]
    for pixels in images:
        pixels.flat[:channels], pixels.flat[-channels:] = low, high
    return images


def by(encode: Callable[..., bytes], *args: Any, **options: Any) -> Write:
    return lambda pixels, file: file.write_bytes(encode(pixels, *args, **options)) and None


def pillow(mode: str) -> Write:
    return lambda pixels, file: deep_files.saved(pixels, mode, file)


WRITERS: dict[str, tuple[Write, str, int]] = {
    "png grey": (by(deep_files.png), "png", 1),
    "png grey by Pillow": (pillow("I;16"), "png", 1),
    "png colours": (by(deep_files.png), "png", 3),
    "tiff I;16": (pillow("I;16"), "tif", 1),
    "tiff I;16B": (pillow("I;16B"), "tif", 1),
    "tiff I": (pillow("I"), "tif", 1),
    "tiff F": (pillow("F"), "tif", 1),
    "tiff colours": (by(deep_files.tiff), "tif", 3),
    "tiff colours, other order": (by(deep_files.tiff, ">"), "tiff", 3),
    "tiff colours, compressed": (by(deep_files.tiff, compressed=True), "tif", 3),
    "tiff colours, compressed, other order": (by(deep_files.tiff, ">", compressed=True), "tif", 3),
    "pgm": (by(deep_files.ppm, 4095), "ppm", 1),
    "ppm": (by(deep_files.ppm, 65535), "ppm", 3),
}


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("name", list(WRITERS))
def test_every_format_of_many_bits_keeps_what_256_greys_can_hold(tmp_path: Path, name: str, cache: bool) -> None:
    write, suffix, channels = WRITERS[name]
    images = twelve_bits(channels)
    loaded = load(folder(tmp_path / "zoo", write, suffix, images), cache=cache)
    assert loaded.description.input_shape == (channels, SIDE, SIDE)
    ordered = [*images[::2], *images[1::2]]
    for at, pixels in enumerate(ordered):
        expected = np.round((pixels - 100) / (4095 - 100) * 255)
        got = loaded.x[at].permute(1, 2, 0).numpy().reshape(pixels.shape)
        assert np.abs(got - expected).max() <= 1
        assert len(np.unique(got)) > 80
    assert loaded.learned["encoders"] == {"pixel_range": [100.0, 4095.0]}


def test_a_note_says_which_bits_are_used_and_what_becomes_of_them(tmp_path: Path) -> None:
    loaded = load(folder(tmp_path / "zoo", by(deep_files.png), "png", twelve_bits()))
    (note,) = [note for note in loaded.description.notes if "bits a pixel" in note]
    assert note == (
        "8 images with 16 bits a pixel, of which 12 are used, such as a/00.png, a/02.png, a/04.png: values from 100 "
        "to 4095 (the range of the training part) become 0 to 255."
    )
    assert loaded.description.warnings == ()
    fractional = [pixels / 1000 for pixels in twelve_bits()]
    loaded = load(folder(tmp_path / "depth", pillow("F"), "tif", fractional))
    notes = " ".join(loaded.description.notes)
    assert "8 images with fractional pixels, such as" in notes and "from 0.1 to 4.095" in notes


def test_the_range_is_that_of_the_training_part_and_nothing_of_the_others_reaches_it(tmp_path: Path) -> None:
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", twelve_bits())
    before = load(root)
    files = sorted(root.glob("*/*.png"))
    for index in before.validation.tolist():
        files[index].write_bytes(deep_files.png(np.full((SIDE, SIDE), 60_000)))
    after = load(root)
    assert after.learned == before.learned
    assert after.x[after.validation].unique().tolist() == [255]
    assert torch.equal(after.x[after.train], before.x[before.train])


@pytest.mark.parametrize("cache", [True, False])
def test_a_range_that_is_set_is_used_whatever_the_images_hold(tmp_path: Path, cache: bool) -> None:
    images = twelve_bits()
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", images)
    x = load(root, pixel_range=[0, 65535], cache=cache).x[:]
    assert np.abs(x[0, 0].numpy() - images[0] / 257).max() <= 1
    x = load(root, pixel_range=[100, 4095], cache=cache).x[:]
    assert torch.equal(x, load(root, cache=cache).x[:])
    for wrong in ([5, 5], [9, 1]):
        with pytest.raises(Refused, match=r"data\.pixel_range: found .*; expected a lower and a higher"):
            load(root, pixel_range=wrong)


def test_a_few_wild_pixels_that_leave_no_greys_for_the_others_are_a_warning_with_the_range(tmp_path: Path) -> None:
    images = twelve_bits(low=400, high=900)
    for pixels in images:
        pixels[0, 0] = 65535  # where a depth camera sees nothing
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", images)
    (warning,) = load(root).description.warnings
    assert warning.path == "data.pixel_range" and "but values range from 400 to 65535" in warning.found
    assert "they become 2 of 256 grey levels" in str(warning) and warning.remedy is not None
    low, high = warning.remedy.value
    better = load(root, pixel_range=[low, high])
    assert better.description.warnings == () and len(better.x[0].unique()) > 60


def test_images_of_8_and_of_16_bits_together_are_a_warning(tmp_path: Path) -> None:
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", twelve_bits())
    Image.fromarray(np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)).save(root / "a" / "plain.png")
    (warning,) = load(root).description.warnings
    assert str(warning) == (
        "data.path: 8 images are scaled by their range, but 1 images of 8 bits are not; their brightness cannot be "
        "compared. Save all images with the same number of bits."
    )


def test_whole_and_fractional_numbers_have_no_range_in_common(tmp_path: Path) -> None:
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", twelve_bits())
    deep_files.saved(np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE), "F", root / "b" / "depth.tif")
    with pytest.raises(Refused, match=r"b/depth\.tif has fractional numbers; a/00\.png has whole numbers; expected"):
        load(root)


def test_fractional_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    images = [pixels / 10 for pixels in twelve_bits()]
    images[3][0, 0] = np.nan
    root = folder(tmp_path / "zoo", pillow("F"), "tif", images)
    with pytest.raises(Refused, match=r"b/03\.tif: 1 of its pixels are not finite; expected finite numbers"):
        load(root)


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_in_16_bits_lies_on_white_and_is_not_in_the_range(tmp_path: Path, channels: int) -> None:
    images = twelve_bits(channels)
    for pixels in images:
        pixels[..., -1] = 65535
        pixels[: SIDE // 2, :, -1] = 0
        pixels[: SIDE // 2, :, :-1] = 65535
        pixels[-1, 0, :-1] = 100
        pixels[-1, -1, :-1] = 4095
    loaded = load(folder(tmp_path / "zoo", by(deep_files.png), "png", images))
    assert loaded.learned["encoders"] == {"pixel_range": [100.0, 4095.0]}
    assert loaded.x[0, :, : SIDE // 2].unique().tolist() == [255]
    expected = np.round((images[0][SIDE // 2 :, :, 0] - 100) / 3995 * 255)
    assert np.abs(loaded.x[0, 0, SIDE // 2 :].numpy() - expected).max() <= 1


def test_a_second_start_decodes_nothing_and_another_split_leaves_one_file_of_pixels(tmp_path: Path) -> None:
    images = twelve_bits()
    images[0][5, 5] = 5000
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", images)
    said: list[str] = []
    load(root)
    with progress_to(lambda what, done, total: said.append(what)):
        load(root)
    assert "Checking images" not in said
    from engine.data.cache import cache_folder

    for seed in range(6):
        forget()
        load_data(Data.model_validate({"source": "images", "path": str(root), "validation": 0.5}), seed)
    assert len(list(cache_folder().glob("*.pixels"))) == 1


DOCUMENT = """
data = {{source = "images", path = "{path}", batch_size = 4, validation = 0.25, cache = false}}
model.layers = [{{type = "Conv2d", out_channels = 2, kernel_size = 3}}, "Flatten",
                {{type = "Linear", out_features = "auto"}}]
training = {{device = "cpu", threads = 1, epochs = 1}}
"""


def run(file: Path, runs: Path, recorded: RecordedData, *overrides: str) -> Session:
    session = Session.create(check(read(str(file), overrides), recorded), runs_dir=runs)
    session.start()
    assert session.join(60) and session.finished.reason.value == "completed"
    return session


def weights(session: Session) -> dict[str, torch.Tensor]:
    return load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).model


@pytest.mark.parametrize("name", ["png grey", "tiff colours"])
def test_a_run_that_began_with_the_upper_8_bits_is_resumed_with_them_to_the_same_bits(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, suffix, channels = WRITERS[name]
    images = twelve_bits(channels, count=12)
    root = folder(tmp_path / "zoo", write, suffix, images)
    file, first = tmp_path / "a.toml", RecordedData(rules=1)
    file.write_text(DOCUMENT.format(path=root))
    assert np.array_equal(load(root, first).x[0].permute(1, 2, 0).numpy().reshape(images[0].shape), images[0] >> 8)
    with monkeypatch.context() as patch:
        patch.setattr("engine.training.starting.NOTHING_RECORDED", first)
        whole = run(file, tmp_path / "whole", first, "training.epochs=2")
        half = run(file, tmp_path / "half", first)
    learned = json.loads((half.directory / "data.json").read_text())
    del learned["rules"]
    (half.directory / "data.json").write_text(json.dumps(learned))
    forget()
    resumed = Session.resume(half.directory, ["training.epochs=2"])
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_run_keeps_the_range_and_is_resumed_with_it(tmp_path: Path) -> None:
    root = folder(tmp_path / "zoo", by(deep_files.png), "png", twelve_bits(count=12))
    (tmp_path / "a.toml").write_text(DOCUMENT.format(path=root))
    result = warm_torchdeck.run("train", "a.toml", "--headless", cwd=tmp_path)
    assert result.returncode == 0 and "of which 12 are used" in result.stderr, result.stderr
    (directory,) = (tmp_path / "runs").iterdir()
    assert json.loads((directory / "data.json").read_text())["encoders"] == {"pixel_range": [100.0, 4095.0]}
    result = warm_torchdeck.run("resume", directory.name, "--set", "training.epochs=2", "--headless", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([name for name in WRITERS if name not in ("tiff F", "pgm")]),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    bits=st.integers(1, 16),
)
def test_every_value_of_every_format_is_read_as_it_was_written(
    tmp_path: Path, name: str, height: int, width: int, seed: int, bits: int
) -> None:
    write, suffix, channels = WRITERS[name]
    shape = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, 2**bits, shape)
    write(pixels, file := tmp_path / f"x.{suffix}")
    with Image.open(file) as image, Image.open(file) as again:
        found = deep(image, lambda: again)
    assert found is not None and np.array_equal(found.values, pixels)
    low, high = found.depth.range
    assert (low, high) == (pixels.min(), pixels.max())
    scaled = np.asarray(found.scaled((low, high))).astype(int)
    order = np.argsort(pixels.ravel(), kind="stable")
    assert (np.diff(scaled.ravel()[order]) >= 0).all()
    assert low == high or (scaled.min(), scaled.max()) == (0, 255)
