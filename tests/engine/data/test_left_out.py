"""What is in a folder and no sample: what systems put there, what is excluded, and images with nothing on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm_torchdeck
from PIL import Image

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.experiment import Data, Refused

JUNK = (
    *("@eaDir/cat/0.png@SynoEAStream", "@eaDir/0.png", "cat/@eaDir/0.png/SYNOFILE_THUMB_M.jpg"),
    *("__MACOSX/cat/._0.png", ".ipynb_checkpoints/a-checkpoint.png", "cat/.ipynb_checkpoints/0-checkpoint.png"),
    *("Thumbs.db", "cat/Thumbs.db", "desktop.ini", "dog/.DS_Store", "cat/._0.png"),
    *("lost+found/x.png", "$RECYCLE.BIN/S-1-5/x.png", "System Volume Information/x.png"),
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def picture(file: Path, pixels: np.ndarray | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(str(file).encode()))
    Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8) if pixels is None else pixels).save(file)


def zoo(root: Path, *classes: str) -> Path:
    for name in classes or ("cat", "dog"):
        for number in range(4):
            picture(root / name / f"{number}.png")
    return root


def littered(root: Path) -> Path:
    for name in JUNK:
        if name.endswith((".png", ".jpg")) and "/._" not in name:
            picture(root / name)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"\0\1\2")
    return root


def load(root: Path, **fields: Any) -> Dataset:
    forget()
    return load_data(Data.model_validate({"source": "images", "path": str(root), "validation": 0.25, **fields}), seed=0)


def notes(loaded: Dataset) -> str:
    return "\n".join(loaded.description.notes)


def test_what_systems_put_there_is_no_class_and_no_sample(tmp_path: Path) -> None:
    plain = load(zoo(tmp_path / "zoo"))
    loaded = load(littered(tmp_path / "zoo"))
    assert loaded.description.classes == ("cat", "dog") and len(loaded.x) == len(plain.x) == 8
    assert (
        "Left out, since operating systems or programs created them: $RECYCLE.BIN, .ipynb_checkpoints, @eaDir, "
        "System Volume Information, Thumbs.db, __MACOSX, desktop.ini, lost+found, cat/.ipynb_checkpoints, cat/@eaDir, "
        "cat/Thumbs.db, dog/.DS_Store."
    ) in notes(loaded)


def test_what_systems_put_beside_and_in_folders_of_parts_is_no_class_either(tmp_path: Path) -> None:
    for part in ("train", "val"):
        littered(zoo(tmp_path / part))
    littered(tmp_path)
    loaded = load(tmp_path)
    assert loaded.description.classes == ("cat", "dog") and len(loaded.x) == 16
    assert "@eaDir, " in notes(loaded) and "train/@eaDir" in notes(loaded) and "; and 12 more." in notes(loaded)


def test_the_command_line_trains_on_a_littered_folder(tmp_path: Path) -> None:
    littered(zoo(tmp_path / "zoo"))
    (tmp_path / "a.toml").write_text(
        'data = {source = "images", path = "zoo", batch_size = 4, validation = 0.25}\n'
        'model.layers = ["Flatten", {type = "Linear", out_features = "auto"}]\n'
        'training = {device = "cpu", threads = 1, epochs = 1}\n'
    )
    result = warm_torchdeck.run("train", "a.toml", "--headless", cwd=tmp_path)
    assert result.returncode == 0 and "operating systems or programs created them" in result.stderr, result.stderr


def test_a_class_of_such_a_name_is_one_where_it_is_asked_for(tmp_path: Path) -> None:
    zoo(tmp_path, "cat", "dog", "lost+found")
    assert load(tmp_path).description.classes == ("cat", "dog")
    assert load(tmp_path, classes=["cat", "lost+found"]).description.classes == ("cat", "lost+found")


def test_classes_and_folders_to_leave_out_are_chosen(tmp_path: Path) -> None:
    zoo(tmp_path, "ant", "cat", "dog", "old")
    picture(tmp_path / "cat" / "old" / "9.png")
    picture(tmp_path / "cat" / "new" / "9.png")
    assert len(load(tmp_path).x) == 18
    chosen = load(tmp_path, classes=["dog", "cat"])
    assert chosen.description.classes == ("cat", "dog") and len(chosen.x) == 10
    assert "Class folders that are not in data.classes: ant, old." in notes(chosen)
    without = load(tmp_path, exclude=["old"])
    assert without.description.classes == ("ant", "cat", "dog") and len(without.x) == 13
    assert "Left out by data.exclude: old, cat/old." in notes(without)
    below = load(tmp_path, exclude=["cat/old", "ant/"])
    assert below.description.classes == ("cat", "dog", "old") and len(below.x) == 13


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"classes": ["cat", "dgo"]}, r"data\.classes: 'dgo' is not a class folder; .* Did you mean dog\?"),
        ({"exclude": ["odl"]}, r"data\.exclude: 'odl' is not a folder; expected one of .*\. Did you mean old\?"),
        ({"exclude": ["cat", "dog", "old"]}, "it has one class folder, ant; expected at least two"),
    ],
)
def test_a_folder_that_is_not_there_is_answered_with_the_nearest(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    zoo(tmp_path, "ant", "cat", "dog", "old")
    with pytest.raises(Refused, match=said):
        load(tmp_path, **fields)


def test_folders_of_texts_leave_out_the_same(tmp_path: Path) -> None:
    for name in ("pos", "neg", "old", "@eaDir", "__MACOSX"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "texts" / name / f"{number}.txt").write_text(f"a {name} text {number}")
    fields = {"source": "text", "min_count": 1, "exclude": ["old"]}
    assert load(tmp_path / "texts", **fields).description.classes == ("neg", "pos")
    (tmp_path / "a.csv").write_text("text,label\na,b\nc,d\n")
    with pytest.raises(Refused, match=r"data\.exclude: it applies to folders; .*a\.csv is a file\. Remove it"):
        load(tmp_path / "a.csv", **fields)


def test_images_of_one_colour_are_a_warning(tmp_path: Path) -> None:
    zoo(tmp_path)
    assert load(tmp_path).description.warnings == ()
    for number, name in enumerate(("cat/8.png", "cat/9.png", "dog/9.png")):
        picture(tmp_path / name, np.full((6, 6, 3), 100 * number, np.uint8))
    (warning,) = load(tmp_path).description.warnings
    assert str(warning) == (
        "data.path: 3 of 11 images have a single colour, such as cat/8.png, cat/9.png, dog/9.png; a network "
        "learns nothing from them. Inspect them, and remove or replace blank ones."
    )
    (kept,) = load(tmp_path).description.warnings  # from what was found the first time
    assert str(kept) == str(warning)


def test_an_image_that_is_blank_is_called_that(tmp_path: Path) -> None:
    zoo(tmp_path)
    blank, half = np.zeros((6, 6, 4), np.uint8), np.zeros((6, 6, 4), np.uint8)
    half[:3, :, 3] = 255
    picture(tmp_path / "cat" / "blank.png", blank)
    picture(tmp_path / "cat" / "half.png", half)
    picture(tmp_path / "cat" / "whole.png", np.random.default_rng(0).integers(255, 256, (6, 6, 4), np.uint8))
    loaded = load(tmp_path)
    assert "Images that are blank (every pixel is fully transparent): 1, such as cat/blank.png." in notes(loaded)
    assert "Images that are partly transparent, blended with white: 1, such as cat/half.png." in notes(loaded)
    assert any("cat/blank.png" in str(warning) for warning in loaded.description.warnings)
