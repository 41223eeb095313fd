"""Names that look alike and are not the same characters: those that mean the same are one, of others it is said why.

The same letters can be written in several forms (é as one character, or as e and an accent); macOS, web forms and
spreadsheets each have their own. https://unicode.org/reports/tr15
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import polars as pl

from engine.data.words import one_form

_NAMED = 5


def united(names: Iterable[str], recorded: Iterable[str] = ()) -> dict[str, str]:
    """What each of these names becomes that another one equals in all but its form; no other name is in it.

    Args:
        recorded: names that stay as they are, since a run has begun with them.
    """
    there = [name for name in dict.fromkeys(names) if not name.isascii()]
    forms: dict[str, list[str]] = {}
    for name in there:
        forms.setdefault(one_form(name), []).append(name)
    kept = set(recorded)
    found: dict[str, str] = {}
    for form, same in forms.items():
        begun = [name for name in same if name in kept]
        one = begun[0] if begun else form
        if len(same) > 1:
            found |= {name: one for name in same if name != one and name not in kept}
    return found


def spelled_as(column: pl.Series, names: Iterable[str]) -> dict[str, str]:
    """The values of a column that are none of these names but one in another Unicode form, and which one."""
    if _is_ascii(column):
        return {}
    names = tuple(names)
    known, one = set(names), {one_form(name): name for name in names}
    others = (value for value in column.drop_nulls().unique(maintain_order=True).to_list() if value not in known)
    return {value: one[form] for value in others if (form := one_form(value)) in one}


def united_column(column: pl.Series, recorded: Iterable[str] = ()) -> tuple[pl.Series, dict[str, str]]:
    """A column of texts (N,) in which names that differ only in form are one, and what became of which."""
    if _is_ascii(column):
        return column, {}
    changed = united(column.drop_nulls().unique(maintain_order=True).to_list(), recorded)
    return (column.replace(changed) if changed else column), changed


def _is_ascii(column: pl.Series) -> bool:
    return bool((column.str.len_bytes() == column.str.len_chars()).all())


def united_note(what: str, changed: Mapping[str, str]) -> str:
    """A sentence on names that were made one; empty where none were.

    Args:
        what: in the plural, as in `labels of y`.
    """
    if not changed:
        return ""
    others: dict[str, list[str]] = {}
    for name, one in changed.items():
        others.setdefault(one, []).append(name)
    listed = "; ".join(
        f"{one!r} ({' and '.join(map(ascii, (one, *names)))})" for one, names in list(others.items())[:_NAMED]
    )
    more = f"; and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    return f"{what} that differ only in their Unicode form are one: {listed}{more}."


def look_alike(name: str, names: Iterable[str]) -> str:
    """How a name differs from the one among others that it looks like, as a clause; empty where it looks like none."""
    for other in names:
        if name == other:
            continue
        if name.casefold() == other.casefold():
            return f"it differs from {other!r} in upper and lower case"
        if _bare(name) == _bare(other):
            extra = [c for c in name if c not in other] or [c for c in other if c not in name]
            which = "it has" if any(c not in other for c in name) else f"{other!r} has"
            if not extra:
                return f"it looks like {other!r}, and is {name!a}"
            return f"it looks like {other!r}, but {which} {_named(extra[0])}"
        pairs = [(a, b) for a, b in zip(name, other, strict=False) if a != b]
        if len(name) == len(other) and pairs and all(_script(a) != _script(b) for a, b in pairs):
            return f"it looks like {other!r}, but has {_named(pairs[0][0])}, not {_named(pairs[0][1])}"
    return ""


def _bare(name: str) -> str:
    """Letters alone: without what is not seen, in one case, and in one form of those that are wide, narrow or bound."""
    seen = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).casefold().split())


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"


def _script(character: str) -> str:
    """The first word of a letter's name, which is its script; of any other character, itself."""
    return unicodedata.name(character, character).partition(" ")[0] if character.isalpha() else character
