"""Names that look alike but have different characters: equivalent ones are merged; for others, the difference is named.

The same letter has several Unicode forms (é as one character, or as e and an accent). macOS, web forms and
spreadsheets use different ones. https://unicode.org/reports/tr15
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import polars as pl

from engine.data.words import one_form

_NAMED = 5


def united(names: Iterable[str], recorded: Iterable[str] = ()) -> dict[str, str]:
    """Map names that differ only in their Unicode form to one of them; other names are not in the result.

    Args:
        recorded: names that a run started with; they do not change.
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
    """Map values of a column that are one of these names in another Unicode form to that name."""
    if _is_ascii(column):
        return {}
    names = tuple(names)
    known, one = set(names), {one_form(name): name for name in names}
    others = (value for value in column.drop_nulls().unique(maintain_order=True).to_list() if value not in known)
    return {value: one[form] for value in others if (form := one_form(value)) in one}


def united_column(column: pl.Series, recorded: Iterable[str] = ()) -> tuple[pl.Series, dict[str, str]]:
    """A column of texts (N,) in which names that differ only in form are merged, and the mapping."""
    if _is_ascii(column):
        return column, {}
    changed = united(column.drop_nulls().unique(maintain_order=True).to_list(), recorded)
    return (column.replace(changed) if changed else column), changed


def _is_ascii(column: pl.Series) -> bool:
    return bool((column.str.len_bytes() == column.str.len_chars()).all())


def united_note(what: str, changed: Mapping[str, str]) -> str:
    """A sentence on merged names; empty if there are none.

    Args:
        what: a plural, such as `Labels of y`.
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
    return f"{what} that differ only in their Unicode form are merged: {listed}{more}."


def look_alike(name: str, names: Iterable[str]) -> str:
    """A clause on how a name differs from a similar one among others; empty if there is none."""
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
    """A name for comparison: without invisible characters, in one case and one compatibility form."""
    seen = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).casefold().split())


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"


def _script(character: str) -> str:
    """The script of a letter (the first word of its Unicode name); other characters unchanged."""
    return unicodedata.name(character, character).partition(" ")[0] if character.isalpha() else character
