"""The command that starts just this document: a preset or file, and what differs from it as `--set`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from engine.editing.text import inline


def train_command(source: str, base: str, text: str) -> str:
    """`torchdeck train SOURCE --set …`, by which the document `text` is trained.

    Args:
        source: a preset or a file.
        base: the text that stands there.
    """
    before, after = tomllib.loads(base), tomllib.loads(text)
    words = ["torchdeck", "train", source]
    for path, value in _differences(before, after, ""):
        words += ["--set", f"{path}={_flat(value)}"]
    return shlex.join(words)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The places that must be set so that `before` becomes `after`; a table that lost a key is set as a whole."""
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
            yield f"{prefix}{key}", _empty(old)


def _empty(old: Any) -> Any:
    """What takes back a part that the document has no longer."""
    return {} if isinstance(old, dict) and "type" not in old else "none"


def _flat(value: Any) -> str:
    text = value if isinstance(value, str) and _is_text(value) else inline(value)
    return " ".join(line.strip() for line in text.splitlines())


def _is_text(value: str) -> bool:
    """Whether a value is read as this text without quotes."""
    try:
        tomllib.loads(f"value = {value}")
    except ValueError:
        return value == value.strip() and bool(value)
    return False
