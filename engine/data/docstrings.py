"""The docstrings of a Python's standard library, by the package that they come from; read by `ast`, never imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

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
"""Folders of other people's packages, of tests, of an application, and of generated tables."""

_HEAD = re.compile(rb"^[ \t]*(?:async[ \t]+def|def|class)\b", re.MULTILINE)


def largest_packages(stdlib: Path, count: int, min_words: int) -> dict[str, list[str]]:
    """Docstrings of the `count` top-level packages and modules that have most of them, largest first.

    Docstrings of fewer than `min_words` words are left out, and of equal ones in a package all but the first.

    A package has at most one docstring for each file, `class` and `def`. Packages are parsed in the order of that
    bound, until no unparsed one can be among the largest: parsing takes nearly all of the time, and half is enough.
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
        return b""  # one file that cannot be read is no reason to have none


def _docstrings(source: bytes) -> Iterator[str]:
    """The docstring of the module and of each class and function in it, outer before inner."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return  # templates, and files of another Python
    pending: list[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [module]
    while pending:
        node = pending.pop()
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str(text))), *_]:
                yield cleandoc(text)
        pending += [
            n for n in reversed(node.body) if isinstance(n, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        ]
