"""Apply the fix of a mistake to the document's text."""

from __future__ import annotations

import copy
import re
import tomllib
from contextlib import suppress

from engine.catalog import KINDS, catalog
from engine.editing import text as edit
from engine.editing.choosing import take
from engine.editing.form import kind_at
from engine.editing.text import Span
from engine.experiment.mistakes import Mistake
from engine.experiment.overrides import parse_path

_ABSENT = object()


def remedied(text: str, mistake: Mistake) -> str | None:
    """The document with a mistake's fix applied, comments and layout kept; None where there is none that can be."""
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
        return None  # what stands there is not what the mistake was made of: an override, say


def _put(text: str, path: str, value: object) -> str:
    """Put a value; another type of a choice takes along what it has of the old one's parameters."""
    place = path.removesuffix(".type")
    kind = kind_at(place)
    if kind in KINDS and isinstance(value, str) and (place != path or kind == "layers") and _is_choice(text, place):
        return _take(text, place, kind, value)
    return edit.set_value(text, path, value)


def _take(text: str, place: str, kind: str, name: str) -> str:
    """Another type at a place. Keys that the old one has not either stay: they are misspelt, and said to be."""
    old, entries = edit.value_at(text, place), catalog(kind)
    if not isinstance(old, dict):
        return take(text, place, kind, name)
    before = entries.get(str(old.get("type", "")))
    for key in set(before.parameters) - set(entries[name].parameters) if before is not None else ():
        if key in old:
            text = edit.unset(text, f"{place}.{key}")
    return edit.set_value(text, f"{place}.type", name)


def _is_choice(text: str, place: str) -> bool:
    return isinstance(edit.value_at(text, place), (str, dict))


def _drop(text: str, path: str) -> str | None:
    """Take away a value; a layer, or an item of another list, leaves its list."""
    if edit.value_at(text, path, _ABSENT) is _ABSENT:
        return None
    return edit.remove(text, Span.of(path)) if path.endswith("]") else edit.unset(text, path)


def _rename(text: str, path: str, name: str) -> str | None:
    """Give a key another name where it stands: of the places where it is written, the one that changes this key."""
    value = edit.value_at(text, path, _ABSENT)
    holder, _, old = path.rpartition(".")
    new = f"{holder}.{name}" if holder else name
    if value is _ABSENT or edit.value_at(text, new, _ABSENT) is not _ABSENT:
        return None  # both are there: which one is meant is for a person to say
    without = edit.unset(text, path)
    moved = edit.set_value(without, new, value)
    meant = tomllib.loads(moved)
    for place in re.finditer(rf"(?<![\w-]){re.escape(old)}(?=\s*=|\s*\])", text):
        renamed = text[: place.start()] + name + text[place.end() :]
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(renamed) == meant:
                return renamed
    return moved
