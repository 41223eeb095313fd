"""The layer table in wide panels: FLOPs, memory and share of the parameters, if no label is cut for them."""

from __future__ import annotations

from functools import cache

import pytest
from fake_producer import document, plan_of
from screen_text import assert_golden

from engine.experiment import Draft, read
from engine.plan import Plan, check
from tui.rows.design import layer_heading, layer_rows

PANELS = {120: 46, 160: 86, 200: 126}
"""Cells of the table in a terminal of so many columns."""


@cache
def planned(preset: str) -> tuple[Draft, Plan]:
    draft = read(preset)
    return draft, check(draft)


def table(preset: str, width: int) -> list[str]:
    draft, plan = planned(preset)
    return [row.plain for row in (layer_heading(draft, plan, width), *layer_rows(draft, plan, width))]


@pytest.mark.parametrize("columns", [160, 200])
def test_wide_terminals_add_columns(columns: int) -> None:
    rows = table("digits-cnn", PANELS[columns])
    assert {len(row) for row in rows} == {PANELS[columns]}
    assert_golden(f"layers-{columns}", "\n".join(map(str.rstrip, rows)) + "\n")


def test_a_terminal_of_120_columns_keeps_its_table() -> None:
    draft = document()
    assert layer_heading(draft, plan_of(draft), PANELS[120]).plain.split() == ["#", "layer", "output", "params"]
    assert table("digits-cnn", PANELS[120])[0].split() == ["#", "layer", "output", "params"]


@pytest.mark.parametrize("preset", ["digits-cnn", "resnet-digits", "gru-attention", "mlp-breast-cancer"])
def test_no_label_is_cut_for_an_additional_column(preset: str) -> None:
    draft, plan = planned(preset)
    for width in range(30, 140):
        heading, rows = layer_heading(draft, plan, width).plain, layer_rows(draft, plan, width)
        assert {row.cell_length for row in rows} == {width}
        if any(name in heading for name in ("FLOPs", "memory", "share of params")):
            assert not any("…" in row.plain for row in rows)


def test_shares_of_the_parameters_add_up_to_all_of_them() -> None:
    rows = table("digits-cnn", PANELS[200])[2:]
    shares = [float(row.split()[-2]) for row in rows if row.endswith("%")]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    bars = {row.split()[-3].count("━") for row in rows if row.endswith("%")}
    assert max(bars) == 3 and min(bars) == 0
