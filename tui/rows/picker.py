"""What a list that is made shorter by typing shows. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.rows.design import MUTED
from tui.tables.columns import NAME_AND_SUMMARY, table


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be picked."""

    name: str
    summary: str = ""
    group: str = ""
    """The heading that it stands under."""
    title: str = ""
    """What is shown for its name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list: an item, or a heading."""

    text: Content
    item: Item | None = None


def rows(items: Sequence[Item], typed: str, unfit: Mapping[str, str], width: int) -> list[Row]:
    """The items that what was typed leaves, under their headings.

    Those that do not fit come last, with the reason; but what is called as was typed comes first, fit or not.
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

    called = sorted((i for i in kept if typed and _rank(i, typed)[0] < _ELSEWHERE), key=lambda i: _rank(i, typed))
    found = [row(item) for item in called]
    heading = ""
    for item in (i for i in kept if i not in called and not unfit.get(i.name)):
        if item.group != heading and not typed:
            heading = item.group
            found += [Row(Content.styled(heading, f"bold {MUTED}"))] if heading else []
        found.append(row(item))
    misfits = [i for i in kept if i not in called and unfit.get(i.name)]
    if misfits:
        found.append(Row(Content.styled("do not fit here", f"bold {MUTED}")))
        found += [row(item) for item in misfits]
    return found


_ELSEWHERE = 3
"""The rank of an item that was not found by its name."""


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")


def _matches(item: Item, typed: str) -> bool:
    """Whether every word that was typed is in the name, its heading or its sentence."""
    where = f"{_plain(item.name)} {item.group.lower()} {item.summary.lower()}"
    return all(_plain(word) in where for word in typed.split())


def _rank(item: Item, typed: str) -> tuple[int, int]:
    name, sought = _plain(item.name), _plain(typed)
    return (0 if name == sought else 1 if name.startswith(sought) else 2 if sought in name else _ELSEWHERE, len(name))
