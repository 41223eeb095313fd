"""Columns of lists: as wide as their content, with a gap between them; texts that are cut still look different."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from screen_text import screen_text
from textual.app import App, ComposeResult
from textual.content import Content

from engine.data.documents import presets
from engine.experiment import Preset
from engine.probes.records import LayerChecked
from tui.rows.home import preset_rows
from tui.rows.picker import Item
from tui.rows.picker import rows as picker_rows
from tui.screens.gradient_check import check_rows
from tui.tables.column_widths import Column, cut_apart, widths
from tui.tables.columns import table
from tui.tables.text import columns as printed
from tui.widgets.row_list import RowList

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 60

WORDS = st.text(alphabet="abcdé 漢_-0123456789", min_size=0, max_size=60)
COLUMN = st.builds(
    Column, right=st.booleans(), least=st.none() | st.integers(1, 30), spare=st.sampled_from((0, 0, 1, 2))
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], list[Column]]:
    columns = draw(st.lists(COLUMN, min_size=1, max_size=6))
    rows = draw(st.lists(st.lists(WORDS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=6))
    return rows, columns


@given(made=tables(), width=st.integers(8, 200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_rows_fit_their_width_and_nothing_is_cut_without_need(
    made: tuple[list[list[str]], list[Column]], width: int
) -> None:
    rows, columns = made
    cells = widths(rows, columns, width)
    kept = [n for n in cells if n]
    assert sum(kept) + 2 * max(0, len(kept) - 1) <= max(width, 3 * len(kept))
    wanted = [max(cell_len(row[i]) for row in rows) for i in range(len(columns))]
    if sum(wanted) + 2 * (sum(n > 0 for n in wanted) - 1) <= width:
        assert cells == wanted
    for i, n in enumerate(cells):
        least = columns[i].least
        if 0 < n < wanted[i] and least is not None and n >= least:
            assert not any(cells[j] for j, column in enumerate(columns) if column.spare == 1)


@given(made=tables(), width=st.integers(20, 200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_there_is_a_gap_between_two_columns(made: tuple[list[list[str]], list[Column]], width: int) -> None:
    rows, columns = made
    cells = widths(rows, columns, width)
    ends, at = [], 0
    for n in cells:
        at += n + 2 if n else 0
        ends.append(at)
    for line in table(rows, columns, width):
        for end, _ in pairwise(sorted({end for end, n in zip(ends, cells, strict=True) if n})):
            assert _cells(line.plain, end - 2, end).strip() == ""


def _cells(text: str, begin: int, end: int) -> str:
    at, found = 0, ""
    for letter in text:
        found += letter if begin <= at < end else ""
        at += cell_len(letter)
    return found


@given(
    common=st.text(alphabet="abcd ", min_size=0, max_size=80),
    ends=st.lists(st.text(alphabet="xyz019", min_size=1, max_size=5), min_size=2, max_size=6, unique=True),
    width=st.integers(16, 60),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_different_texts_look_different_when_they_are_cut(common: str, ends: list[str], width: int) -> None:
    texts = [common.strip() + " " + end for end in ends]
    shown = cut_apart(texts, width)
    assert len(set(shown)) == len(texts)
    assert all(cell_len(text) <= width for text in shown)


@pytest.mark.parametrize(
    ("texts", "told_apart"),
    [
        (["Which package is this? A GRU reads it", "Which package is this? An LSTM reads it"], ["A GRU", "An LSTM"]),
        ([f"resnet18-on-the-whole-of-imagenette-seed-{n}" for n in (1, 2, 10)], ["-1", "-2", "-10"]),
        (["漢字漢字漢字漢字漢字漢字漢字甲", "漢字漢字漢字漢字漢字漢字漢字乙"], ["甲", "乙"]),
        (["a" * 90 + "b" + "c" * 90, "a" * 90 + "d" + "c" * 90], ["b", "d"]),
    ],
)
def test_a_cut_text_shows_what_distinguishes_it(texts: list[str], told_apart: list[str]) -> None:
    for text, said in zip(cut_apart(texts, 24), told_apart, strict=True):
        assert said in text and cell_len(text) <= 24


@pytest.mark.parametrize("width", [30, 38, 48, 56, 74, 96])
def test_descriptions_of_presets_look_different(width: int) -> None:
    rows = [row.plain for row in preset_rows(presets(), width)]
    said = [row.partition("  ")[2].strip() for row in rows]
    assert len(set(said)) == len(said)
    assert all(cell_len(row) <= width for row in rows)


HOSTILE = ("x" * 200, "a name with many words " * 9, "漢字" * 60, "", "n\x1b[2Jame\nof two lines")


@pytest.mark.parametrize("width", [24, 38, 76])
def test_rows_of_hostile_lengths_stay_in_their_lines(width: int) -> None:
    made = [Preset(name=name, summary=f"{name} {i}") for i, name in enumerate(HOSTILE)]
    items = [Item(preset.name, preset.summary) for preset in made]
    checked = [
        LayerChecked(
            index=i, checks=5, number=name, label=name, outcome="passed", elements=10**i, fast=True, message=""
        )
        for i, name in enumerate(HOSTILE)
    ]
    lists = [
        preset_rows(made, width),
        [row.text for row in picker_rows(items, "", {}, width)],
        check_rows(checked, width),
    ]
    for rows in lists:
        assert all(row.cell_length <= width and "\n" not in row.plain and "\x1b" not in row.plain for row in rows)
    assert all("together" in row.plain for row in lists[2]) or width < 30


@pytest.mark.parametrize("width", [40, 80, 120])
def test_printed_tables_keep_every_word_and_every_column_apart(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [("name", "of what", "12"), ("y" * 90, "words " * 30, "3,456,789"), ("short", "some more words", "7")]
    text = printed(rows, right=(2,))
    assert text.count("words") == 31 and "y" * 90 in text and "3,456,789" in text
    assert all(cell_len(line) <= width for line in text.split("\n") if "yyy" not in line)
    assert not any("y3" in line or "words3" in line for line in text.split("\n"))


class ListApp(App[None]):
    def compose(self) -> ComposeResult:
        yield RowList(id="list")


@pytest.mark.parametrize(("few", "many"), [(3, 40), (0, 23), (22, 23)])
def test_rows_leave_room_for_the_scrollbar(few: int, many: int) -> None:
    def rows(count: int) -> Callable[[int], list[Content]]:
        return lambda width: [Content(f"{i:<{width - 4}}last") for i in range(count)]

    async def scenario() -> None:
        app = ListApp()
        async with app.run_test(size=(80, 24)) as pilot:
            shown = app.query_one(RowList)
            for count in (few, many, few, many):
                shown.show_rows(rows(count))
                await pilot.pause()
                await pilot.pause()
                lines = [line for line in screen_text(app).split("\n") if "│" in line]
                assert sum("last" in line for line in lines) == min(count, 22)
                assert shown.show_vertical_scrollbar == (count > 22)

    asyncio.run(scenario())
