"""What a list that is made shorter by typing shows. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.design_rows import MUTED
from tui.quantities import left


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
    """The items that what was typed leaves, under their headings; those that do not fit come last, with the reason."""
    kept = [item for item in items if _matches(item, typed)]
    if typed:
        kept.sort(key=lambda item: _rank(item, typed))
    name_width = min(28, max((len(i.title or i.name) for i in kept), default=0) + 2)
    found: list[Row] = []
    fits = [item for item in kept if not unfit.get(item.name)]
    heading = ""
    for item in fits:
        if item.group != heading and not typed:
            heading = item.group
            found += [Row(Content.styled(heading, f"bold {MUTED}"))] if heading else []
        line = Content.assemble(
            left(item.title or item.name, name_width),
            (left(item.summary, max(0, width - name_width)).rstrip(), MUTED),
        )
        found.append(Row(line, item))
    misfits = [item for item in kept if unfit.get(item.name)]
    if misfits:
        found.append(Row(Content.styled("do not fit here", f"bold {MUTED}")))
        for item in misfits:
            reason = left(unfit[item.name], max(0, width - name_width)).rstrip()
            found.append(Row(Content.styled(left(item.title or item.name, name_width) + reason, MUTED), item))
    return found


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")


def _matches(item: Item, typed: str) -> bool:
    """Whether every word that was typed is in the name, its heading or its sentence."""
    where = f"{_plain(item.name)} {item.group.lower()} {item.summary.lower()}"
    return all(_plain(word) in where for word in typed.split())


def _rank(item: Item, typed: str) -> tuple[int, int]:
    name, sought = _plain(item.name), _plain(typed)
    return (0 if name == sought else 1 if name.startswith(sought) else 2 if sought in name else 3, len(name))
