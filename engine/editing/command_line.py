"""The command that trains a document: a preset or file, and the differences from it as `--set`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from engine.editing.text import inline


def train_command(source: str, base: str, text: str) -> str:
    """`torchdeck train SOURCE --set …` for the document `text`.

    Args:
        source: a preset or a file.
        base: the text of the source.
    """
    before, after = tomllib.loads(base), tomllib.loads(text)
    words = ["torchdeck", "train", source]
    for path, value in _differences(before, after, ""):
        words += ["--set", f"{path}={_one_line(value)}"]
    return shlex.join(words)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The paths and values that turn `before` into `after`; a table that lost a key is set as a whole."""
    for key, value in after.items():
        path = f"{prefix}{key}"
        old = before.get(key)
        if old == value and type(old) is type(value):
            continue
        if isinstance(old, str) and isinstance(value, dict):
            old = {"type": old}
        if isinstance(old, dict) and isinstance(value, dict) and set(old) <= set(value):
            yield from _differences(old, value, f"{path}.")
        elif isinstance(old, list) and isinstance(value, list) and len(old) == len(value) and key == "layers":
            for index, (one, other) in enumerate(zip(old, value, strict=True)):
                yield from _differences({f"[{index}]": one}, {f"[{index}]": other}, path)
        else:
            yield path, value
    for key, old in before.items():
        if key not in after:
            yield f"{prefix}{key}", _removal(old)


def _removal(old: Any) -> Any:
    """The value that removes a part."""
    return {} if isinstance(old, dict) and "type" not in old else "none"


def _one_line(value: Any) -> str:
    text = value if isinstance(value, str) and _needs_no_quotes(value) else inline(value)
    return " ".join(line.strip() for line in text.splitlines())


def _needs_no_quotes(value: str) -> bool:
    """Whether `--set` reads a text without quotes as this text."""
    try:
        tomllib.loads(f"value = {value}")
    except ValueError:
        return value == value.strip() and bool(value)
    return False
