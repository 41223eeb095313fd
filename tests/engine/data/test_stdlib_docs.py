import json
import os
import platform
import stat
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.data.sources.stdlib_docs import largest_packages
from engine.data.text import PADDING, UNKNOWN, tokens_of
from engine.experiment import Data, Refused


def data(**parameters: Any) -> Data:
    return Data.model_validate({"source": "stdlib-docs", **parameters})


def text_of(loaded: Dataset, sample: int) -> list[str]:
    assert loaded.lengths is not None
    return [loaded.vocabulary[t] for t in loaded.x[sample, : loaded.lengths[sample]].tolist()]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def loaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return load_data(data(), seed=0)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standard library of two packages and a module, in place of the running Python's."""
    root = tmp_path / "lib"
    texts = {
        "alpha/__init__.py": ['"""The alpha package is about apples and their trees."""'],
        "alpha/deep/fruit.py": [f'def pick{i}():\n    """Pick apple number {i} from the tree."""' for i in range(30)],
        "beta.py": [f'class Boat{i}:\n    """A boat that carries {i} people over water."""' for i in range(20)],
        "gamma.py": [f'async def go{i}():\n    """Go round the garden {i} times, slowly."""' for i in range(10)],
        "alpha/tests/test_fruit.py": [f'def f{i}():\n    """A test that nobody should read {i}."""' for i in range(99)],
        "site-packages/theirs.py": [f'def f{i}():\n    """Of a package that was installed {i}."""' for i in range(99)],
    }
    for name, parts in texts.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(parts) + "\n")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root


def test_the_ten_largest_packages_of_the_running_python_are_the_classes(loaded: Dataset) -> None:
    d = loaded.description
    counts = torch.bincount(loaded.y)
    assert d.outputs == len(d.classes) == 10
    assert d.input_kind == "tokens" and d.input_shape == (100,) and d.has_lengths
    assert d.train_samples + d.val_samples == len(loaded.x) > 1000
    assert counts.min() > 50 and 0.15 < counts.max() / counts.sum() < 0.4
    assert platform.python_version() in d.notes[0]


def test_every_text_of_the_data_is_a_docstring_of_its_package(loaded: Dataset) -> None:
    import logging

    number = loaded.description.classes.index("logging")
    of_logging = [text_of(loaded, i) for i in (loaded.y == number).nonzero().flatten().tolist()]
    assert logging.Handler.acquire.__doc__ is not None
    expected = tokens_of(logging.Handler.acquire.__doc__)
    assert expected in of_logging


def test_texts_are_padded_behind_their_length_and_only_there(loaded: Dataset) -> None:
    assert loaded.lengths is not None
    place = torch.arange(loaded.x.shape[1])
    assert torch.equal(loaded.x == PADDING, place >= loaded.lengths[:, None])
    assert loaded.lengths.min() >= 1 and loaded.lengths.max() == 100
    assert int(loaded.x.max()) < len(loaded.vocabulary) == loaded.description.vocabulary_size


def test_no_text_is_there_twice(loaded: Dataset) -> None:
    documents = data(vocabulary_size=1_000_000, min_count=1, validation=0.0)
    everything = load_data(documents, seed=0)
    assert len(everything.x.unique(dim=0)) == len(everything.x)


def test_the_vocabulary_is_counted_on_the_training_part_alone(loaded: Dataset) -> None:
    # With every word kept, what is unknown in training cannot exist, and validation brings words never seen.
    full = load_data(data(vocabulary_size=1_000_000, min_count=1), seed=0)
    assert not (full.x[full.train] == UNKNOWN).any()
    assert (full.x[full.validation] == UNKNOWN).any()
    seen = torch.bincount(full.x[full.train].flatten(), minlength=len(full.vocabulary))
    assert (seen[2:] > 0).all()


def test_a_word_is_in_the_vocabulary_only_if_training_has_it_often_enough(loaded: Dataset) -> None:
    counts = torch.bincount(loaded.x[loaded.train].flatten(), minlength=len(loaded.vocabulary))[2:]
    assert counts.min() >= 2
    assert torch.equal(counts, counts.sort(descending=True).values)


def test_the_vocabulary_keeps_to_its_size(loaded: Dataset) -> None:
    small = load_data(data(vocabulary_size=50), seed=0)
    assert len(small.vocabulary) == small.description.vocabulary_size == 50
    assert small.vocabulary[2:] == loaded.vocabulary[2:50]


def test_words_of_the_held_back_part_change_neither_vocabulary_nor_training_texts(library: Path) -> None:
    original = load_data(data(classes=3, min_count=1), seed=0)
    held = original.validation.tolist()
    assert held
    words = [text_of(original, i) for i in held]
    for file in library.rglob("*.py"):
        content = file.read_text()
        for text in words:
            plain = next((line for line in content.splitlines() if tokens_of(line.strip().strip('"')) == text), None)
            if plain is not None:
                content = content.replace(plain, plain.replace('"""', '"""Zebra zebra zebra ', 1))
        file.write_text(content)
    os.environ["XDG_CACHE_HOME"] += "-other"
    forget()
    changed = load_data(data(classes=3, min_count=1), seed=0)
    assert not torch.equal(changed.x[changed.validation], original.x[original.validation])
    assert changed.vocabulary == original.vocabulary and "zebra" not in changed.vocabulary
    assert torch.equal(changed.x[changed.train], original.x[original.train])


def test_only_the_library_itself_is_read(library: Path) -> None:
    packages = largest_packages(library, 5, min_words=5)
    assert {name: len(texts) for name, texts in packages.items()} == {"alpha": 31, "beta": 20, "gamma": 10}
    assert packages["beta"][3] == "A boat that carries 3 people over water."


def test_the_library_is_read_without_being_run(library: Path) -> None:
    (library / "beta.py").write_text('"""A module that must never be executed."""\nraise SystemExit(3)\n')
    (library / "bad.py").write_text("def broken(:\n")
    (library / "null.py").write_bytes(b"x = '\0'\n")
    assert largest_packages(library, 9, min_words=5)["beta"] == ["A module that must never be executed."]


def test_a_docstring_that_two_packages_share_belongs_to_neither(library: Path) -> None:
    shared = '"""Return what every one of these modules can return."""'
    for i, name in enumerate(("beta.py", "gamma.py")):
        with (library / name).open("a") as file:
            file.write(f"def shared{i}():\n    {shared}\n")
    loaded = load_data(data(classes=3, min_count=1, validation=0.0), seed=0)
    assert len(loaded.x) == 61 and "modules" not in loaded.vocabulary


def test_parsing_fewer_packages_gives_the_same_largest_ones(library: Path) -> None:
    # A package with many functions and few docstrings has a high bound and is still not among the largest.
    (library / "delta.py").write_text("\n".join(f"def f{i}(): pass" for i in range(500)))
    assert list(largest_packages(library, 2, min_words=5)) == ["alpha", "beta"]
    assert largest_packages(library, 2, min_words=5)["beta"] == largest_packages(library, 9, min_words=5)["beta"]


def test_the_texts_are_cached_for_the_owner_alone_and_read_from_there(library: Path, tmp_path: Path) -> None:
    first = load_data(data(classes=3), seed=0)
    folder = tmp_path / "cache" / "torchdeck"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(file.stat().st_mode) == 0o600
    for source in library.rglob("*.py"):
        source.unlink()
    forget()
    again = load_data(data(classes=3), seed=0)
    assert torch.equal(again.x, first.x) and again.vocabulary == first.vocabulary
    assert again.description == first.description


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "not ours"])
def test_a_damaged_cache_is_rebuilt(library: Path, tmp_path: Path, damage: str) -> None:
    first = load_data(data(classes=3), seed=0)
    (file,) = (tmp_path / "cache" / "torchdeck").iterdir()
    whole = file.read_bytes()
    place = whole.index(b"apple number")
    broken = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:place] + b"A" + whole[place + 1 :],
        "emptied": b"",
        "not ours": json.dumps({"alpha": ["x"]}).encode(),
    }[damage]
    file.write_bytes(broken)
    forget()
    again = load_data(data(classes=3), seed=0)
    assert torch.equal(again.x, first.x) and again.vocabulary == first.vocabulary
    assert file.read_bytes() == whole


def test_another_python_or_another_number_of_classes_has_a_cache_of_its_own(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_data(data(classes=3), seed=0)
    load_data(data(classes=2), seed=0)
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    forget()
    load_data(data(classes=2), seed=0)
    assert len(list((tmp_path / "cache" / "torchdeck").iterdir())) == 3


def test_a_cache_folder_that_cannot_be_written_is_no_error(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    assert len(load_data(data(classes=3), seed=0).x) == 61


def test_more_packages_than_there_are_is_refused_with_how_many_there_are(library: Path) -> None:
    with pytest.raises(Refused, match=r"data\.classes: .* has 3 with docstrings\. Set it to 3 or less\."):
        load_data(data(classes=4), seed=0)


def test_a_python_without_its_sources_is_refused_in_one_sentence(library: Path) -> None:
    for source in library.rglob("*.py"):
        source.unlink()
    with pytest.raises(Refused, match=r"has 0 with docstrings\. Use a Python whose library includes its source files"):
        load_data(data(), seed=0)
