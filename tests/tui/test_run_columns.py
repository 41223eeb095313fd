"""Lists of runs: columns never touch, numbers are never cut, and runs look different."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_producer import NOW, summary
from fake_run import run_started
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.protocol.events import Finished, Reason
from engine.runs import RunDirectory, RunSummary, differences
from tui.printing.runs import runs_as_text
from tui.quantities import shortened
from tui.rows.home import run_rows
from tui.rows.runs import best_text, metric_text
from tui.tables.fitted_columns import Column, fitted

EXAMPLES = 1000 if os.environ.get("TORCHDECK_THOROUGH") else 60

HOSTILE = [
    summary("live", "a", epoch=60, epochs=60, best=6.143e-21),
    summary("completed", "digits-cnn", epoch=5, epochs=5, best=0.006902, metrics={"val_loss": 1.0, "val_f1": 0.5}),
    summary("failed", "x" * 90, epoch=99_999, epochs=100_000, best=-1.234e-300, monitor="val_mean_squared_log"),
    summary("stale", "数字の分類" * 12, best=float("inf"), metrics={"train_loss": 1.0, "train_rmse": 1.5e300}),
    summary("stopped", "e\u0301" * 40, best=float("nan"), started=0.0),
    summary("unreadable", "👩‍🔬" * 20, epochs=0, best=None),
    summary("interrupted", "with\x1b[2Jescape", best=12345678.9),
]


@pytest.mark.parametrize("width", [24, 40, 54, 58, 76, 100, 118, 160, 298])
def test_columns_never_touch_and_numbers_are_never_cut(width: int) -> None:
    rows = [row.plain for row in run_rows(HOSTILE, NOW, width)]
    assert {cell_len(row) for row in rows} == {width}
    assert not any("\x1b" in row for row in rows)
    for texts in (
        [f"{run.epoch}/{run.epochs}" if run.epochs else "" for run in HOSTILE],
        [best_text(run, named=width >= 54) for run in HOSTILE],
        [metric_text(run) for run in HOSTILE],
    ):
        whole = [
            re.search(rf"(?<!\S){re.escape(text)}(?!\S)", row) is not None
            for text, row in zip(texts, rows, strict=True)
        ]
        assert all(whole) or (
            width < 160 and not any(is_there and text for is_there, text in zip(whole, texts, strict=True))
        )


CELLS = st.text(max_size=30).filter(lambda text: "\n" not in text and text.isprintable())


@st.composite
def tables(draw: st.DrawFn) -> list[Column]:
    rows = draw(st.integers(1, 5))
    names = [f"● {name}" for name in draw(st.lists(CELLS, min_size=rows, max_size=rows))]
    columns = [Column(cells=names, at_least=draw(st.integers(2, 12)))]
    for rank in range(1, draw(st.integers(1, 5))):
        cells = draw(st.lists(CELLS, min_size=rows, max_size=rows))
        is_number = draw(st.booleans())
        at_least = None if is_number else draw(st.none() | st.integers(2, 12))
        columns.append(Column(cells=cells, is_number=is_number, at_least=at_least, rank=rank))
    return columns


@settings(max_examples=EXAMPLES, deadline=None)
@given(columns=tables(), width=st.integers(12, 120))
def test_rows_fill_their_width_with_gaps_and_complete_numbers(columns: list[Column], width: int) -> None:
    for row, cells in enumerate(fitted(columns, width)):
        assert cell_len("".join(cells)) == width
        shown = [index for index, cell in enumerate(cells) if cell]
        assert all(cells[index].endswith("  ") for index in shown[:-1])
        for index in shown:
            column = columns[index]
            if column.at_least is None:
                assert column.cells[row].strip() == cells[index].strip()
            else:
                assert cell_len(cells[index].strip()) <= cell_len(column.cells[row]) or "…" in cells[index]


@settings(max_examples=EXAMPLES, deadline=None)
@given(text=st.text(max_size=60), width=st.integers(1, 40))
def test_shortened_text_fits_and_keeps_its_end(text: str, width: int) -> None:
    short = shortened(text, width)
    assert cell_len(short) <= width
    assert short == text if cell_len(text) <= width else True


def run_of(name: str = "digits-cnn", at: str = "2026-11-23T16-15-30", **settings: object) -> RunSummary:
    return replace(summary("completed", name, settings=settings), name=f"{at}-{name}")


def test_runs_of_one_experiment_show_their_differences() -> None:
    runs = [
        run_of(**{"optimizer.type": "AdamW", "optimizer.lr": 3e-3, "seed": 0, "model.parameters": 18346}),
        run_of(**{"optimizer.type": "SGD", "optimizer.lr": 0.1, "seed": 0, "model.parameters": 18346}),
        run_of("lenet", **{"optimizer.type": "SGD", "optimizer.lr": 0.5, "seed": 7}),
        run_of(**{"optimizer.type": "SGD", "optimizer.lr": 0.1, "seed": 0, "model.parameters": 9000}),
    ]
    assert differences(runs) == [
        "AdamW · lr 0.003 · parameters 18,346",
        "SGD · lr 0.1 · parameters 18,346",
        "",
        "SGD · lr 0.1 · parameters 9,000",
    ]
    rows = [row.plain for row in run_rows(runs, NOW, 118)]
    assert "AdamW · lr 0.003" in rows[0] and "lr" not in rows[2]


@pytest.mark.parametrize("width", [40, 56, 76, 116])
def test_two_runs_never_look_the_same(width: int) -> None:
    runs = [
        run_of(at="2026-11-23T16-15-30"),
        run_of(at="2026-11-23T16-15-31"),
        run_of("digits-cnn-2", at="2026-11-23T16-15-31"),
        run_of("y" * 80 + "1", at="2026-11-23T16-15-31"),
        run_of("y" * 80 + "2", at="2026-11-23T16-15-31"),
    ]
    rows = [row.plain for row in run_rows(runs, NOW, width)]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("width", [80, 100, 120, None])
def test_the_list_of_runs_fits_the_terminal_and_is_complete_in_a_file(tmp_path: Path, width: int | None) -> None:
    for number in range(3):
        name = "digits-cnn" * (1 + 2 * number)
        run = RunDirectory.create(tmp_path, name, f'name = "{name}"\n', {})
        run.append(run_started(epochs=60, run=run.name, directory=str(run.path), experiment={"name": name}))
        end = {"best_epoch": 3, "metrics": {"val_rmse": 1.5e-21}, "message": "Trained."}
        run.append(Finished(reason=Reason.EARLY_STOPPED, epoch=60, step=9, seconds=1.0, best=6.143e-21, **end))
        run.close()
    header, *rows = runs_as_text(tmp_path, width).splitlines()
    assert header.split()[:4] == ["run", "state", "epochs", "best"]
    assert all(cell_len(row) <= (width or 999) for row in rows)
    for row in rows:
        assert re.search(r"  stopped early   60/60  val_loss 6\.143e-21(  |$)", row)
        assert "rmse 1.5e-21" in row if width is None else re.search(r"rmse", row) is None or "rmse 1.5e-21  " in row
