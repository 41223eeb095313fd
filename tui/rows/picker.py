"""The rows of a list that typing filters. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.rows.design import MUTED
from tui.tables.columns import NAME_AND_SUMMARY, table


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the list."""

    name: str
    summary: str = ""
    group: str = ""
    """The heading of its group."""
    title: str = ""
    """The text shown instead of its name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list: an item, or a heading."""

    text: Content
    item: Item | None = None


def rows(items: Sequence[Item], typed: str, unfit: Mapping[str, str], width: int) -> list[Row]:
    """Return the items that match the typed text, under their headings.

    Items that do not fit come last, with the reason. An item whose name matches the typed text comes first in any case.
    """
    kept = [item for item in items if _matches(item, typed)]
    lines = table(
        [
            ((i.title or i.name, MUTED if i.name in unfit else ""), (unfit.get(i.name) or i.summary, MUTED))
            for i in kept
        ],
        NAME_AND_SUMMARY,
        width,
    )
    written = {id(item): line for item, line in zip(kept, lines, strict=True)}

    def row(item: Item) -> Row:
        return Row(written[id(item)], item)

    named = sorted((i for i in kept if typed and _rank(i, typed)[0] < _ELSEWHERE), key=lambda i: _rank(i, typed))
    found = [row(item) for item in named]
    heading = ""
    for item in (i for i in kept if i not in named and not unfit.get(i.name)):
        if item.group != heading and not typed:
            heading = item.group
            found += [Row(Content.styled(heading, f"bold {MUTED}"))] if heading else []
        found.append(row(item))
    unsuitable = [i for i in kept if i not in named and unfit.get(i.name)]
    if unsuitable:
        found.append(Row(Content.styled("do not fit here", f"bold {MUTED}")))
        found += [row(item) for item in unsuitable]
    return found


_ELSEWHERE = 3
"""The rank of an item whose name does not match."""


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")


def _matches(item: Item, typed: str) -> bool:
    """Whether every typed word is in the name, the heading or the summary."""
    where = f"{_plain(item.name)} {item.group.lower()} {item.summary.lower()}"
    return all(_plain(word) in where for word in typed.split())


def _rank(item: Item, typed: str) -> tuple[int, int]:
    name, sought = _plain(item.name), _plain(typed)
    return (0 if name == sought else 1 if name.startswith(sought) else 2 if sought in name else _ELSEWHERE, len(name))
