"""The output that the deck leaves out does not change the screen."""

from __future__ import annotations

import os
import re

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.terminal.compact_output import ExactUpdate, compact

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 100
COLUMNS, ROWS = 40, 6

colours = st.sampled_from([None, "#d3d7de", "#14171c", "#bce39d", "red", "bright_blue", "color(123)"])
texts = st.text(st.sampled_from("ab ─━⠢◆界 "), max_size=8)
styles = st.builds(
    Style,
    color=colours,
    bgcolor=colours,
    bold=st.sampled_from([None, True]),
    dim=st.sampled_from([None, True]),
    italic=st.sampled_from([None, True]),
    underline=st.sampled_from([None, True]),
    reverse=st.sampled_from([None, True]),
    strike=st.sampled_from([None, True]),
)
pieces = st.lists(
    st.one_of(
        st.tuples(texts, styles).map(lambda one: one[1].render(one[0])),
        texts,
        st.tuples(st.integers(1, ROWS), st.integers(1, COLUMNS)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
        st.sampled_from(["\n", "\x1b[2J", "\x1b[K"]),
    ),
    max_size=20,
)


def shown(*outputs: str) -> list[dict[int, object]]:
    """Every cell of a terminal after these outputs; of blanks only what is seen of them."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for output in outputs:
        stream.feed(output)
    cells = []
    for row in range(ROWS):
        line: dict[int, object] = {}
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            if cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough):
                cell = cell._replace(fg="default", bold=False, italics=False)
            line[column] = cell
        cells.append(line)
    return cells


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(pieces.map("".join), max_size=3))
def test_compact_output_shows_the_same_cells(outputs: list[str]) -> None:
    assert shown(*map(compact, outputs)) == shown(*outputs)


@settings(max_examples=EXAMPLES, deadline=None)
@given(pieces.map("".join))
def test_compact_output_is_never_longer_than_a_reset_and_ends_in_the_plain_style(output: str) -> None:
    less = compact(output)
    assert len(less) <= len(output) + len("\x1b[0m")
    after = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(after).feed(less)
    plain = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(plain).feed(output)
    assert after.cursor.attrs == plain.cursor.attrs


def test_a_colour_is_written_once_while_it_stays() -> None:
    style = Style(color="#d3d7de", bgcolor="#14171c")
    less = compact(style.render("one ") + style.render("two") + Style(color="#bce39d", bgcolor="#14171c").render("!"))
    assert re.findall(r"\x1b\[[0-9;]*m", less) == [
        "\x1b[38;2;211;215;222;48;2;20;23;28m",
        "\x1b[38;2;188;227;157m",
        "\x1b[0m",
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 11), st.integers(1, 12))
def test_an_update_starts_at_its_first_changed_cell(start: int, length: int) -> None:
    left = Strip([Segment("abcdef", Style(bold=True))])
    right = Strip([Segment("ghi", Style()), Segment("jkl", Style(italic=True))])
    stop = min(12, start + length)
    update = ExactUpdate([{0: left, 6: right}], [(0, start, stop)], [[6, 12]])
    written = update.render_segments(Console())
    bare = re.sub(r"\x1b\[[0-9;]*[mH]", "", written)
    assert bare == "abcdefghijkl"[start:stop]
    assert written.startswith(f"\x1b[1;{start + 1}H")
