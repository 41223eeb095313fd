"""Folders of images with something wrong in them: what is said names the file, what was found and what was expected."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.experiment import Data, Refused

rng = np.random.default_rng(0)
PICTURE = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def encoded(format: str, pixels: np.ndarray = PICTURE, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def frames(format: str) -> bytes:
    file = io.BytesIO()
    first, second = Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)
    first.save(file, format, save_all=True, append_images=[second])
    return file.getvalue()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that promises a size, whatever its data hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def png_bomb() -> bytes:
    """50,000 × 50,000 pixels of nothing: 7.5 GB out of a few MB."""
    return png(50_000, 50_000, bytes(1_000_000))


def bmp_of_width(width: int) -> bytes:
    whole = bytearray(encoded("BMP"))
    whole[18:22] = struct.pack("<i", width)
    return bytes(whole)


def tiff_of_floats() -> bytes:
    return encoded("TIFF", np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))


def tiff_of_32_bits() -> bytes:
    return encoded("TIFF", (np.arange(256, dtype=np.int32) * 100_000).reshape(16, 16))


def tiff_of_negative_numbers() -> bytes:
    return encoded("TIFF", np.arange(-128, 128, dtype=np.int32).reshape(16, 16))


def flipped(content: bytes, begin: float = 0.3) -> bytes:
    """Nonsense from a place on."""
    at = int(len(content) * begin)
    return content[:at] + bytes(255 - byte for byte in content[at:])


READABLE = "PNG, JPEG, WebP, BMP, TIFF or PPM"
BROKEN: list[tuple[str, str, bytes | Callable[[], bytes], str]] = [
    ("zero bytes", "x.png", b"", "it is empty; expected an image"),
    ("zero bytes of a photo", "x.jpg", b"", "it is empty; expected an image"),
    ("a text", "x.png", b"This is no image.\n" * 20, f"it is not a readable image; expected {READABLE}"),
    ("a web page", "x.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "it is not a readable image"),
    ("text that is not UTF-8", "x.bmp", "Grüße".encode("latin-1") * 50, "it is not a readable image"),
    ("a GIF by another name", "x.png", lambda: encoded("GIF"), "it is not a readable image"),
    ("a PDF by another name", "x.tif", b"%PDF-1.7\n%" + bytes(200), "it is not a readable image"),
    (
        "PostScript by another name",
        "x.jpg",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "it is not a readable image",
    ),
    (
        "a picture by another name that is none",
        "x.webp",
        b"RIFF\x10\0\0\0WAVEfmt \0\0\0\0",
        "it is not a readable image",
    ),
    ("null bytes", "x.png", bytes(4096), "it is not a readable image"),
    ("only the signature of a PNG", "x.png", b"\x89PNG\r\n\x1a\n", "it is (not a readable image|damaged)"),
    ("only the signature of a JPEG", "x.jpg", b"\xff\xd8\xff", "it is (not a readable image|damaged)"),
    ("only the signature of a TIFF", "x.tif", b"II*\0", "it is (not a readable image|damaged)"),
    ("a PNG cut short", "x.png", lambda: encoded("PNG")[:400], r"it is damaged \("),
    ("a PNG without its last bytes", "x.png", lambda: encoded("PNG")[:-40], r"it is damaged \("),
    ("a JPEG cut short", "x.jpg", lambda: encoded("JPEG")[:-200], r"it is damaged \(.*[Tt]runcated"),
    ("a WebP cut short", "x.webp", lambda: encoded("WEBP")[:-100], r"it is (not a readable image|damaged)"),
    ("a BMP cut short", "x.bmp", lambda: encoded("BMP")[:-100], r"it is damaged \(.*[Tt]runcated"),
    ("a TIFF cut short", "x.tif", lambda: encoded("TIFF")[:300], r"it is (not a readable image|damaged)"),
    (
        "a compressed TIFF cut short",
        "x.tif",
        lambda: encoded("TIFF", compression="tiff_lzw")[:200],
        "it is (not a readable image|damaged)",
    ),
    ("a PNG of nonsense", "x.png", lambda: flipped(encoded("PNG")), r"it is damaged \("),
    ("a PNG without data", "x.png", lambda: png(16, 16), r"it is damaged \("),
    ("a TIFF of nonsense", "x.tif", lambda: flipped(encoded("TIFF", compression="tiff_lzw"), 0.1), "it is"),
    ("a PNG without width", "x.png", lambda: png(0, 16), "it is"),
    ("a bomb", "x.png", png_bomb, "it has more than 178,956,970 pixels; expected at most 64,000,000"),
    (
        "50,000 pixels in a row",
        "x.png",
        lambda: encoded("PNG", np.zeros((2, 50_000), np.uint8)),
        "it has 2×50,000 pixels; expected at most 30,000 on a side",
    ),
    (
        "100 million pixels",
        "x.png",
        lambda: png(10_000, 10_000),
        "it has 10,000×10,000 pixels; expected at most 64,000,000 in all",
    ),
    ("a BMP that promises too much", "x.bmp", lambda: bmp_of_width(2**31 - 1), "pixels; expected at most"),
    ("an animated PNG", "x.png", lambda: frames("PNG"), "it has 2 frames; expected one"),
    ("an animated WebP", "x.webp", lambda: frames("WEBP"), "it has 2 frames; expected one"),
    ("a TIFF of two pages", "x.tiff", lambda: frames("TIFF"), "it has 2 frames; expected one"),
    ("fractional numbers", "x.tif", tiff_of_floats, "its pixels are fractional numbers; expected 8 or 16 bits"),
    ("32 bits a pixel", "x.tif", tiff_of_32_bits, "its pixels go from 0 to 25,500,000; expected 8 or 16 bits"),
    ("numbers below zero", "x.tif", tiff_of_negative_numbers, "its pixels go from -128 to 127; expected 8 or 16"),
]


def zoo(root: Path) -> Path:
    """Two classes with nothing wrong."""
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(4):
            (root / name / f"{number}.png").write_bytes(encoded("PNG"))
    return root


def load(root: Path | str, **fields: Any) -> Dataset:
    forget()
    return load_data(Data.model_validate({"source": "images", "path": str(root), **fields}), seed=0)


def refusal(root: Path | str, **fields: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        load(root, **fields)
    for mistake in refused.value.mistakes:
        assert mistake.path.startswith("data.") and mistake.fix.endswith((".", "?"))
        assert "\n" not in str(mistake) and str(mistake).isprintable()
    return [str(mistake) for mistake in refused.value.mistakes]


@pytest.mark.parametrize(("what", "name", "content", "said"), BROKEN, ids=[what for what, *_ in BROKEN])
def test_a_broken_image_is_refused_or_left_out_by_its_name(
    tmp_path: Path,
    what: str,
    name: str,
    content: bytes | Callable[[], bytes],
    said: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    zoo(tmp_path)
    (tmp_path / "cat" / name).write_bytes(content if isinstance(content, bytes) else content())
    (sentence,) = refusal(tmp_path, size=16)
    assert sentence.startswith(f"data.path cat/{name}: ") and re.search(said, sentence), sentence
    loaded = load(tmp_path, size=16, on_broken="skip")
    assert len(loaded.x) == 8
    (note,) = [note for note in loaded.description.notes if "Left out" in note]
    assert f"cat/{name}: " in note and re.search(said.replace(";", ","), note)
    assert capfd.readouterr() == ("", "")


def of_links(root: Path) -> None:
    (root / "cat" / "x.png").symlink_to(root / "cat" / "x.png")


def of_lost_links(root: Path) -> None:
    (root / "cat" / "x.png").symlink_to(root / "nowhere.png")


def of_pipes(root: Path) -> None:
    os.mkfifo(root / "cat" / "x.png")


def of_linked_folders(root: Path) -> None:
    (root / "cat" / "more").symlink_to(root)


def of_classes_that_lead_back(root: Path) -> None:
    (root / "fox").symlink_to(root)


def of_classes_that_lead_to_all(root: Path) -> None:
    (root / "fox").symlink_to("/")


def of_classes_that_lead_to_themselves(root: Path) -> None:
    (root / "fox").symlink_to(root / "fox")


def of_empty_classes(root: Path) -> None:
    (root / "fox").mkdir()


def of_classes_of_texts(root: Path) -> None:
    (root / "fox").mkdir()
    (root / "fox" / "names.txt").write_text("no image")


def of_classes_with_a_newline(root: Path) -> None:
    (root / "fo\nx").mkdir()
    (root / "fo\nx" / "1.png").write_bytes(encoded("PNG"))


def of_classes_that_are_not_utf_8(root: Path) -> None:
    folder = os.fsencode(root) + b"/fo\xffx"
    os.mkdir(folder)
    with open(folder + b"/1.png", "wb") as file:
        file.write(encoded("PNG"))


def of_escapes(root: Path) -> None:
    (root / "cat" / "\x1b[31mred.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (of_links, "cat/x.png: it is a link to itself"),
        (of_lost_links, "cat/x.png: it is a link to a missing file"),
        (of_pipes, "cat/x.png: it is a device or a pipe; expected a file"),
        (of_linked_folders, "cat/more: it is a link to a folder; expected a folder or an image"),
        (of_classes_that_lead_back, "fox: it is a link to a folder that contains it"),
        (of_classes_that_lead_to_all, "fox: it is a link to a folder that contains it"),
        (of_classes_that_lead_to_themselves, "fox: it is a broken link, or a link to itself"),
        (of_empty_classes, "fox: it has no images; expected at least one"),
        (of_classes_of_texts, "fox: it has no images; expected at least one"),
        (of_classes_with_a_newline, r"fo\nx: the name of its class is not printable"),
        (of_classes_that_are_not_utf_8, r"fo\udcffx: the name of its class is not printable"),
        (of_escapes, r"cat/\x1b[31mred.png: it is empty; expected an image"),
    ],
)
def test_what_is_odd_about_a_folder_is_refused_or_left_out_by_its_name(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(zoo(tmp_path))
    (sentence,) = refusal(tmp_path)
    assert sentence.startswith(f"data.path {said}")
    loaded = load(tmp_path, on_broken="skip")
    assert len(loaded.x) == 8 and loaded.description.classes == ("cat", "dog")
    assert any(f"Left out: {said.replace(';', ',')}" in note for note in loaded.description.notes)


def of_nothing(root: Path) -> None:
    pass


def of_one_class(root: Path) -> None:
    (zoo(root) / "dog").rename(root.parent / "elsewhere")


def of_images_without_classes(root: Path) -> None:
    for number in range(3):
        (root / f"{number}.png").write_bytes(encoded("PNG"))


def of_empty_files(root: Path) -> None:
    for file in zoo(root).glob("*/*.png"):
        file.write_bytes(b"")


def of_one_class_of_empty_files(root: Path) -> None:
    for file in zoo(root).glob("dog/*.png"):
        file.write_bytes(b"")


def of_two_sizes(root: Path) -> None:
    (zoo(root) / "dog" / "9.png").write_bytes(encoded("PNG", PICTURE[:8]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (of_nothing, "it has no class folders; expected a folder for each class"),
        (of_one_class, "it has one class folder, cat; expected at least two"),
        (of_images_without_classes, "it has 3 images and no class folders; expected a folder for each class"),
        (of_empty_files, "0 images of 0 classes can be used; expected at least two classes to train on"),
        (of_one_class_of_empty_files, "4 images of 1 classes can be used; expected at least two classes to train on"),
        (of_two_sizes, "has 16×16 pixels, like 8 of 9 images; dog/9.png has 8×16; expected one size"),
    ],
)
def test_a_folder_that_is_no_task_is_refused_even_where_broken_images_are_left_out(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(tmp_path)
    (sentence,) = refusal(tmp_path, on_broken="skip")
    assert said in sentence


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("zo", r"data\.path .*zo: there is no such folder\. Did you mean .*/zoo\?"),
        ("nothing like it", r"there is no such folder\. Correct the path; it starts at"),
        ("file.png", r"it is not a folder; expected a folder with a folder of images for each class"),
        ("zoo\0", r"zoo\\x00: it is not a path"),
    ],
)
def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, path: str, said: str) -> None:
    zoo(tmp_path / "zoo")
    (tmp_path / "file.png").write_bytes(encoded("PNG"))
    (sentence,) = refusal(f"{tmp_path}/{path}")
    assert re.search(said, sentence)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": 0}, "data.size"),
        ({"size": [32]}, "data.size"),
        ({"size": [32, 0]}, "data.size"),
        ({"size": "large"}, "data.size"),
        ({"size": 100_000}, "data.size"),
        ({"mode": "color"}, "data.mode"),
        ({"on_broken": "ignore"}, "data.on_broken"),
        ({"path": ""}, "data.path"),
        ({"folder": "x"}, "data.folder"),
    ],
)
def test_a_wrong_parameter_is_refused(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        load_data(Data.model_validate({"source": "images", "path": str(zoo(tmp_path)), **fields}), seed=0)
    assert all(mistake.path.startswith(said) for mistake in refused.value.mistakes)


def test_names_that_cannot_be_printed_are_said_and_their_images_used(tmp_path: Path) -> None:
    zoo(tmp_path)
    (tmp_path / "cat" / "a\nb.png").write_bytes(encoded("PNG"))
    with open(os.fsencode(tmp_path) + b"/dog/\xff.png", "wb") as file:
        file.write(encoded("PNG"))
    for cache in (True, False):
        loaded = load(tmp_path, cache=cache)
        assert loaded.x[:].shape == (10, 3, 16, 16)
        (note,) = [note for note in loaded.description.notes if "unprintable names" in note]
        assert r"cat/a\nb.png" in note and r"dog/\udcff.png" in note and note.isprintable()


def test_a_class_to_validate_on_that_is_not_trained_on_is_refused(tmp_path: Path) -> None:
    zoo(tmp_path / "train")
    zoo(tmp_path / "val")
    (tmp_path / "val" / "fox").mkdir()
    (tmp_path / "val" / "fox" / "1.png").write_bytes(encoded("PNG"))
    (sentence,) = refusal(tmp_path)
    assert "val/fox: its class has no training images" in sentence
    assert len(load(tmp_path, on_broken="skip").validation) == 8


def test_a_class_that_is_left_without_an_image_to_train_on_is_left_out_of_every_part(tmp_path: Path) -> None:
    for part in ("train", "val"):
        zoo(tmp_path / part)
        (tmp_path / part / "ant").mkdir()
        (tmp_path / part / "ant" / "1.png").write_bytes(b"" if part == "train" else encoded("PNG"))
    loaded = load(tmp_path, on_broken="skip")
    assert loaded.description.classes == ("cat", "dog")
    assert loaded.y[loaded.validation].tolist() == [0] * 4 + [1] * 4


def test_every_broken_file_is_found_at_once_and_twenty_are_named(tmp_path: Path) -> None:
    zoo(tmp_path)
    for number in range(25):
        (tmp_path / "dog" / f"broken{number:02}.png").write_bytes(b"nonsense")
    sentences = refusal(tmp_path)
    assert len(sentences) == 21 and "dog/broken19.png" in sentences[19]
    assert "5 more files and folders cannot be used" in sentences[20]
    (note,) = [n for n in load(tmp_path, on_broken="skip").description.notes if "Left out" in n]
    assert note.count("broken") == 20 and note.endswith("; and 5 more.")


def test_files_that_are_no_images_by_their_names_are_named_and_not_opened(tmp_path: Path) -> None:
    zoo(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.txt")
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"")
    (tmp_path / "outside.jpg").write_bytes(b"")
    (note,) = [n for n in load(tmp_path).description.notes if "Not read" in n]
    assert "outside.jpg" in note and "cat/pipe.txt" in note and "hidden" not in note


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    zoo(tmp_path)
    (tmp_path / "cat" / "0.png").chmod(0)
    (tmp_path / "dog").chmod(0)
    try:
        sentences = refusal(tmp_path)
        assert any("dog: it cannot be listed (Permission denied)" in sentence for sentence in sentences)
        assert any("cat/0.png: it cannot be read (Permission denied)" in sentence for sentence in sentences)
    finally:
        (tmp_path / "dog").chmod(0o700)


def test_folders_within_folders_to_the_end_of_what_a_path_may_be_are_no_hang(tmp_path: Path) -> None:
    zoo(tmp_path)
    name = "d" * 250
    here = os.open(tmp_path / "cat", os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        here, outer = os.open(name, os.O_RDONLY, dir_fd=here), here
        os.close(outer)
    os.close(here)
    (sentence,) = refusal(tmp_path)
    assert "it cannot be listed (File name too long)" in sentence and len(sentence) < 400


@pytest.mark.parametrize("cached", [True, False])
def test_a_refusal_is_the_same_the_second_time(tmp_path: Path, cached: bool) -> None:
    zoo(tmp_path)
    (tmp_path / "cat" / "x.png").write_bytes(b"")
    assert refusal(tmp_path, cache=cached) == refusal(tmp_path, cache=cached)


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    import resource

    zoo(tmp_path)
    (tmp_path / "cat" / "bomb.png").write_bytes(png_bomb())
    (tmp_path / "cat" / "large.png").write_bytes(png(10_000, 10_000, bytes(30_000_000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(refusal(tmp_path)) == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
