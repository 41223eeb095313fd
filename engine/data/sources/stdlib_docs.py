"""Docstrings of the standard library of the running Python, labelled with their package."""

from __future__ import annotations

import ast
import platform
import re
import sysconfig
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.cache import read_cached, save_cached
from engine.data.source import Source
from engine.experiment.mistakes import Mistake, Refused

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

MIN_WORDS = 5
CACHE_FORMAT = 1


class StdlibDocs(Source):
    """Texts and packages differ slightly between versions of Python; the notes name the version."""

    name: ClassVar[str] = "stdlib-docs"
    summary: ClassVar[str] = "Docstrings of Python's standard library, to be classified by their package."
    when: ClassVar[str] = (
        "To classify real text of any length with embeddings and a recurrent network, without a download."
    )

    classes: Annotated[int, Field(ge=2, le=100, description="Number of packages; the largest are used.")] = 10
    max_length: Annotated[
        int, Field(ge=1, le=10_000, description="Maximum number of tokens of a text; the rest is cut.")
    ] = 100
    vocabulary_size: Annotated[
        int,
        Field(
            ge=3, le=1_000_000, description="Maximum number of tokens in the vocabulary, including padding and unknown."
        ),
    ] = 10_000
    min_count: Annotated[
        int,
        Field(ge=1, description="Minimum count of a token in the training part; rarer ones become the unknown token."),
    ] = 2

    def load(self, split: Split) -> Dataset:
        """Tokens (T=max_length,) padded with 0, and the number of the package.

        The vocabulary is learned from the training part. Duplicate texts are removed, and texts of several packages are
        left out, so that no text is in two parts.
        """
        import numpy as np

        from engine.data.dataset import dataset
        from engine.data.text import numbered, tokens_of, vocabulary

        packages = _packages(self.classes)
        of_text: dict[tuple[str, ...], set[int]] = {}
        for number, texts in enumerate(packages.values()):
            for text in texts:
                of_text.setdefault(tuple(tokens_of(text, split.recorded.rules)[: self.max_length]), set()).add(number)
        kept = [text for text, owners in of_text.items() if len(owners) == 1]
        y = np.fromiter((owner for owners in of_text.values() if len(owners) == 1 for owner in owners), dtype=np.int64)

        parts = split.by_class(y)
        words = vocabulary((kept[i] for i in parts.train), self.vocabulary_size, self.min_count)
        x, lengths = numbered(kept, words, self.max_length)
        names = tuple(packages)
        named = sum(names[owner].strip("_").lower() in text for text, owner in zip(kept, y.tolist(), strict=True))
        return dataset(
            self.name,
            "classification",
            "tokens",
            x,
            y,
            parts,
            classes=names,
            lengths=lengths,
            vocabulary=words,
            notes=(
                f"{len(kept):,} docstrings of Python {platform.python_version()}; "
                f"{np.bincount(y).max() / len(y):.0%} are of {names[np.bincount(y).argmax()]}, the largest class.",
                f"{named / len(kept):.0%} of the texts name their own package.",
                f"The vocabulary has {len(words):,} tokens, from the training part only.",
            ),
        )


def _packages(count: int) -> dict[str, list[str]]:
    """Texts of the `count` largest packages, from the cache or by parsing the library, which takes seconds."""
    stdlib = sysconfig.get_path("stdlib")
    key = {
        "format": CACHE_FORMAT,
        "python": platform.python_version(),
        "stdlib": stdlib,
        "packages": count,
        "min_words": MIN_WORDS,
    }
    packages = read_cached("stdlib-docs", key)
    if packages is None:
        packages = largest_packages(Path(stdlib), count, MIN_WORDS)
        if len(packages) == count:
            save_cached("stdlib-docs", key, packages)
    if len(packages) < count:
        raise Refused(
            Mistake(
                "data.classes",
                f"{count} packages are requested",
                f"{stdlib} has {len(packages)} with docstrings",
                f"Set it to {len(packages)} or less."
                if len(packages) >= 2
                else "Use a Python whose library includes its source files, or another source.",
            )
        )
    return packages


NOT_READ = {
    "site-packages",
    "dist-packages",
    "__pycache__",
    "test",
    "tests",
    "idle_test",
    "idlelib",
    "pydoc_data",
    "encodings",
}
"""Folders that are not read: third-party packages, tests, an application, and generated tables."""

_HEAD = re.compile(rb"^[ \t]*(?:async[ \t]+def|def|class)\b", re.MULTILINE)


def largest_packages(stdlib: Path, count: int, min_words: int) -> dict[str, list[str]]:
    """Docstrings of the `count` top-level packages and modules with most docstrings, largest first.

    Docstrings of fewer than `min_words` words and duplicates in a package are left out.

    A package has at most one docstring for each file, `class` and `def`. Packages are parsed in order of that bound
    until no other package can be among the largest; this halves the time.
    """
    bounds: dict[str, int] = {}
    sources: dict[str, list[Path]] = {}
    for package, file in _files(stdlib):
        heads = len(_HEAD.findall(_read(file)))
        bounds[package] = bounds.get(package, 0) + heads + 1
        sources.setdefault(package, []).append(file)

    found: dict[str, list[str]] = {}
    for package in sorted(bounds, key=lambda p: (-bounds[p], p)):
        sizes = sorted(map(len, found.values()), reverse=True)
        if len(sizes) >= count and sizes[count - 1] > bounds[package]:
            break
        texts = (doc for file in sources[package] for doc in _docstrings(_read(file)))
        found[package] = list(dict.fromkeys(doc for doc in texts if len(doc.split()) >= min_words))
    ranked = sorted((p for p in found if found[p]), key=lambda p: (-len(found[p]), p))
    return {package: found[package] for package in ranked[:count]}


def _files(stdlib: Path) -> Iterator[tuple[str, Path]]:
    """(package, file) of every source file, sorted within its folder."""
    folders = [(stdlib, "")]
    while folders:
        folder, package = folders.pop()
        for entry in sorted(folder.iterdir()):
            if entry.is_symlink() and entry.is_dir():
                continue
            if entry.suffix == ".py" and entry.is_file():
                yield package or entry.stem, entry
            elif entry.name not in NOT_READ and "-" not in entry.name and entry.is_dir():
                folders.append((entry, package or entry.name))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # one unreadable file must not prevent the others from being read


def _docstrings(source: bytes) -> Iterator[str]:
    """The docstring of the module and of each class and function in it, outer before inner."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return  # templates, and files for other Python versions
    pending: list[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [module]
    while pending:
        node = pending.pop()
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str(text))), *_]:
                yield cleandoc(text)
        pending += [
            n for n in reversed(node.body) if isinstance(n, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        ]
