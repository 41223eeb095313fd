"""Apply the fix of a mistake to the document's text."""

from __future__ import annotations

import copy
import re
import tomllib
from contextlib import suppress

from engine.catalog import KINDS, catalog
from engine.editing import text as edit
from engine.editing.choices import set_choice
from engine.editing.form import kind_at
from engine.editing.text import Span
from engine.experiment.mistakes import Mistake
from engine.experiment.paths import parse_path

_ABSENT = object()


def apply_fix(text: str, mistake: Mistake) -> str | None:
    """The document with the fix of a mistake, with its comments and layout; None if there is no applicable fix."""
    remedy, path = mistake.remedy, mistake.remedy_path()
    if remedy is None or parse_path(path) is None:
        return None
    try:
        match remedy.do:
            case "put":
                return _put(text, path, copy.deepcopy(remedy.value))
            case "drop":
                return _drop(text, path)
            case "rename":
                return _rename(text, path, remedy.value)
            case "insert":
                return edit.insert(text, Span.of(path), copy.deepcopy(remedy.value))
            case "append":
                place = Span.of(path)
                return edit.insert(text, Span(place.list, place.stop, place.stop), copy.deepcopy(remedy.value))
    except (LookupError, TypeError, ValueError):
        return None  # the text differs from what was checked, for example by an override


def _put(text: str, path: str, value: object) -> str:
    """Set a value; a new type of a choice keeps the parameters that it has too."""
    place = path.removesuffix(".type")
    kind = kind_at(place)
    if kind in KINDS and isinstance(value, str) and (place != path or kind == "layers") and _is_choice(text, place):
        return _set_type(text, place, kind, value)
    return edit.set_value(text, path, value)


def _set_type(text: str, place: str, kind: str, name: str) -> str:
    """Set another type. Keys that the old type does not have either stay: they are reported as misspelt."""
    old, entries = edit.value_at(text, place), catalog(kind)
    if not isinstance(old, dict):
        return set_choice(text, place, kind, name)
    before = entries.get(str(old.get("type", "")))
    for key in set(before.parameters) - set(entries[name].parameters) if before is not None else ():
        if key in old:
            text = edit.unset(text, f"{place}.{key}")
    return edit.set_value(text, f"{place}.type", name)


def _is_choice(text: str, place: str) -> bool:
    return isinstance(edit.value_at(text, place), (str, dict))


def _drop(text: str, path: str) -> str | None:
    """Remove a value, or an item from its list."""
    if edit.value_at(text, path, _ABSENT) is _ABSENT:
        return None
    return edit.remove(text, Span.of(path)) if path.endswith("]") else edit.unset(text, path)


def _rename(text: str, path: str, name: str) -> str | None:
    """Rename a key in its line, of all lines that contain its name."""
    value = edit.value_at(text, path, _ABSENT)
    parent, _, old = path.rpartition(".")
    new = f"{parent}.{name}" if parent else name
    if value is _ABSENT or edit.value_at(text, new, _ABSENT) is not _ABSENT:
        return None  # both keys exist, and only a person can choose
    without = edit.unset(text, path)
    moved = edit.set_value(without, new, value)
    expected = tomllib.loads(moved)
    for place in re.finditer(rf"(?<![\w-]){re.escape(old)}(?=\s*=|\s*\])", text):
        renamed = text[: place.start()] + name + text[place.end() :]
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(renamed) == expected:
                return renamed
    return moved
