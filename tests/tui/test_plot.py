from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.plots.plot import Mark, Row, Scene, broken, draw, runs
from tui.plots.raster import Layer, Marker
from tui.plots.scale import Axis, Tick, clipped, nice_step, number_label, step_axis, value_axis
from tui.series import Bucket, Series

EXAMPLES = 500 if os.environ.get("TORCHDECK_THOROUGH") else 40

MARKERS: tuple[Marker, ...] = ("braille", "blocks", "ascii")


def buckets(values: list[float]) -> tuple[Bucket, ...]:
    series = Series()
    for step, value in enumerate(values, 1):
        series.append(step, value)
    return series.snapshot()


def plot(
    values: list[float], width: int = 40, height: int = 10, log: bool = False, marker: Marker = "braille"
) -> list[str]:
    """The rows of a plot of these values, one a step."""
    points = buckets(values)
    shown = [end for bucket in points if bucket.points for end in (bucket.low, bucket.high)]
    y = value_axis(clipped(shown), height - 2, log=log) if shown else None
    scene = Scene(
        x=step_axis(0, len(values), len(values), 0, width - 6),
        y=y or Axis(low=0.0, high=1.0, log=log),
        layers=(Layer(buckets=points, tone="train", spread=True),),
        marks=broken(points),
    )
    return texts(draw(scene, width, height, marker))


def texts(rows: tuple[Row, ...]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


def canvas(rows: list[str]) -> list[str]:
    """What stands right of the upright axis and above the level one."""
    at = max(row.find("│") for row in rows)
    return [row[at + 1 :] for row in rows[:-2]]


def test_a_falling_line_goes_from_the_upper_left_to_the_lower_right() -> None:
    rows = plot([float(value) for value in range(40, 0, -1)])
    assert rows == [
        "  40┤ ⠑⠤⠤⣀                              ",
        "    │     ⠑⠒⠢⢄                          ",
        "    │         ⠉⠒⠢⢄⡀                     ",
        "  20┤             ⠈⠑⠒⠤⣀⡀                ",
        "    │                  ⠈⠑⠢⣀⣀            ",
        "    │                       ⠉⠢⠤⢄        ",
        "    │                           ⠉⠒⠤⢄⡀   ",
        "   0┤                               ⠈⠑⠢⠤",
        "    └────────┬────────┬────────┬───────┬",
        "step        10       20       30      40",
    ]


@pytest.mark.parametrize("marker", MARKERS)
def test_a_constant_is_a_horizontal_line_across_the_plot(marker: Marker) -> None:
    drawn = [row for row in canvas(plot([0.5] * 40, marker=marker)) if row.strip()]
    assert len(drawn) == 1
    assert len(drawn[0].strip()) >= 30


def test_a_nan_is_a_gap_and_a_mark_that_names_its_step() -> None:
    values = [1.0] * 20 + [math.nan] + [1.0] * 19
    rows = plot(values)
    assert any("✗ NaN at step 21" in row or "NaN at step 21 ✗" in row for row in rows)
    level = next(row for row in canvas(rows) if set(row) & set("⠒⠤⣀⠉"))
    whole = next(row for row in canvas(plot([1.0] * 40)) if row.strip())
    assert level.strip().count(" ") > whole.strip().count(" "), "the line goes on over the NaN"


@pytest.mark.parametrize(("value", "name"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "NaN")])
def test_a_value_that_is_not_finite_is_named(value: float, name: str) -> None:
    assert any(f"{name} at step 3" in row for row in plot([1.0, 1.0, value, 1.0]))


def test_no_values_and_no_finite_values_leave_an_empty_canvas() -> None:
    assert not any(row.strip() for row in canvas(plot([])))
    assert "NaN at step 1" in "".join(canvas(plot([math.nan, math.nan])))


def test_one_point_is_one_dot() -> None:
    drawn = "".join(canvas(plot([3.0]))).strip()
    assert len(drawn) == 1
    assert bin(ord(drawn) - 0x2800).count("1") == 1


def test_a_value_far_from_the_others_does_not_flatten_them() -> None:
    rows = plot([1.0 + 0.1 * math.sin(step) for step in range(60)] + [1e30], width=60)
    used = [row for row in canvas(rows) if row.strip()]
    assert len(used) >= 5
    assert not any("e30" in row[:6] for row in rows), "the axis still reaches to 1e30"


def test_a_logarithmic_axis_draws_only_values_above_zero() -> None:
    rows = plot([100.0, 10.0, 0.0, -5.0, 1.0, 0.1], log=True)
    dots = sum(bin(ord(c) - 0x2800).count("1") for row in canvas(rows) for c in row if 0x2800 < ord(c) <= 0x28FF)
    assert dots > 0
    assert not any(row.strip() for row in canvas(plot([0.0, -1.0], log=True)))


def test_a_powers_of_ten_axis_is_labelled_with_powers_of_ten() -> None:
    axis = value_axis([0.001, 100.0], 18, log=True)
    assert axis is not None
    assert [tick.label for tick in axis.ticks] == ["0.001", "0.01", "0.1", "1", "10", "100"]
    assert axis.place(100.0) == pytest.approx(2.0)


def test_a_spike_of_one_step_among_thousands_is_visible() -> None:
    rows = plot([0.0 if step != 5000 else 1.0 for step in range(10_000)], width=60, height=14)
    assert canvas(rows)[0].strip() or canvas(rows)[1].strip()


def test_validation_and_training_differ_without_colour() -> None:
    flat = buckets([3.0] * 60)
    axes = {"x": step_axis(0, 60, 60, 0, 50), "y": Axis(low=0.0, high=6.0)}
    solid = texts(draw(Scene(layers=(Layer(buckets=flat, tone="train"),), **axes), 60, 10))  # type: ignore[arg-type]
    layer = Layer(buckets=flat, tone="validation", stroke="dashed")
    dashed = texts(draw(Scene(layers=(layer,), **axes), 60, 10))  # type: ignore[arg-type]
    drawn = [next(row for row in canvas(rows) if row.strip()).strip() for rows in (solid, dashed)]
    assert " " not in drawn[0]
    assert " " in drawn[1]


@pytest.mark.parametrize("marker", ["braille", "blocks"])
def test_two_lines_in_one_cell_are_both_visible(marker: Marker) -> None:
    axes = {"x": Axis(low=0.0, high=40.0), "y": Axis(low=0.0, high=1.0)}
    upper = Layer(buckets=buckets([0.50] * 40), tone="train")
    lower = Layer(buckets=buckets([0.71] * 40), tone="validation")

    def dots(*layers: Layer) -> set[str]:
        return set("".join(canvas(texts(draw(Scene(layers=layers, **axes), 40, 6, marker)))))  # type: ignore[arg-type]

    both = dots(upper, lower)
    assert both - dots(upper) - dots(lower), "one line has taken the other's place"


def test_the_best_epoch_is_marked_with_its_value_where_nothing_is_covered() -> None:
    points = buckets([float(value) for value in range(40, 0, -1)])
    mark = Mark(x=20, y=20.0, symbol="◆", tone="best", label="best 20 at 4")
    scene = Scene(
        x=step_axis(0, 40, 40, 5, 50),
        y=Axis(low=0, high=40),
        layers=(Layer(buckets=points, tone="train"),),
        marks=(mark,),
    )
    rows = draw(scene, 60, 14)
    assert sum(text.count("◆") for row in rows for text, tone in row if tone == "best") == 1
    assert any("best 20 at 4" in row for row in texts(rows))


def test_labels_do_not_cover_each_other_or_a_mark() -> None:
    marks = (
        Mark(x=38, symbol="✗", tone="bad", label="NaN at step 38"),
        Mark(x=36, y=1.0, symbol="◆", tone="best", label="best 1 at 9"),
    )
    scene = Scene(x=step_axis(0, 40, 40, 4, 50), y=Axis(low=0.9, high=1.1), layers=(), marks=marks)
    said = "\n".join(texts(draw(scene, 60, 10)))
    for words in ("✗", "◆", "NaN at step 38", "best 1 at 9"):
        assert words in said


def test_without_unicode_only_letters_draw_the_curves() -> None:
    rows = plot([1.0, 2.0, math.nan, 3.0], marker="ascii")
    assert all(ord(character) < 128 for row in canvas(rows) for character in row)


@pytest.mark.parametrize(
    ("value", "step", "label"),
    [
        (0.05, 0.05, "0.05"),
        (0.5, 0.25, "0.50"),
        (2.0, 0.5, "2.0"),
        (30.0, 10.0, "30"),
        (2e29, 2e29, "2e29"),
        (0, 1, "0"),
    ],
)
def test_ticks_are_labelled_shortly(value: float, step: float, label: str) -> None:
    assert number_label(value, step) == label


def test_a_nice_step_is_one_two_two_and_a_half_or_five() -> None:
    assert [nice_step(step) for step in (0.9, 1.9, 2.6, 4.5, 70.0)] == [1.0, 2.0, 2.5, 5.0, 50.0]


def test_limits_stay_while_values_fill_them() -> None:
    first = value_axis([0.0, 2.31], 14)
    assert first is not None
    assert value_axis([0.0, 2.29], 14, before=first) is first
    grown = value_axis([0.0, 9.0], 14, before=first)
    assert grown is not None and grown.high >= 9.0
    assert value_axis([0.0, 0.1], 14, before=first) is not first


def test_an_accuracy_axis_does_not_go_beyond_one() -> None:
    axis = value_axis([0.62, 0.997], 14, bounds=(0.0, 1.0))
    assert axis is not None
    assert axis.high == 1.0


def test_the_x_axis_grows_in_large_steps_and_ends_with_the_run() -> None:
    ends = [step_axis(0, step, 690, 23, 70).high for step in range(1, 691)]
    assert ends == sorted(ends)
    assert all(end >= step for step, end in enumerate(ends, 1))
    assert ends[-1] == 690
    assert len(set(ends)) < 25
    assert step_axis(0, 500, 690, 23, 70).unit == "epoch"
    assert step_axis(0, 12, 690, 23, 70).unit == "step"


def crowded() -> list[str]:
    """A plot with more labels than room for them."""
    y = Axis(low=0.48, high=0.96, ticks=tuple(Tick(at, f"{at:.2f}") for at in (0.5, 0.55, 0.6, 0.8, 0.82)))
    x = Axis(low=0.0, high=100.0, ticks=tuple(Tick(at, f"{at:,}") for at in range(10, 101, 10)), unit="step")
    return texts(draw(Scene(x=x, y=y, layers=()), 24, 5))


def test_of_overlapping_labels_the_nearest_is_shown() -> None:
    assert crowded() == [
        "    │                   ",
        "0.80┤                   ",
        "0.50┤                   ",
        "    └──┬──┬───┬───┬──┬──",
        "step  10 30  50  70 90  ",
    ]


def test_a_plot_looks_the_same_in_every_process() -> None:
    """Plotext uses sets of strings, whose order differs in every process."""
    program = "from test_plot import crowded; print(crowded())"
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    pictures = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(pictures) == 1


def test_blanks_join_their_neighbours() -> None:
    assert runs([("a", "x"), (" ", "y"), ("b", "x"), ("c", "z")]) == (("a b", "x"), ("c", "z"))
    assert runs([(" ", "y"), ("b", "x")]) == ((" b", "x"),)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    values=st.lists(st.floats(width=64), max_size=60),
    width=st.integers(1, 90),
    height=st.integers(1, 24),
    log=st.booleans(),
    marker=st.sampled_from(MARKERS),
)
def test_any_numbers_make_a_plot_of_the_right_size_in_bounded_time(
    values: list[float], width: int, height: int, log: bool, marker: Marker
) -> None:
    began = time.thread_time()
    rows = plot(values, width, height, log, marker)
    assert time.thread_time() - began < 1.0
    assert len(rows) == height
    assert {len(row) for row in rows} == {width}


@pytest.mark.parametrize("value", [1e30, -1e30, 1.7e308, 5e-324, -1.7e308])
def test_a_diverging_run_is_drawn_as_fast_as_any_other(value: float) -> None:
    began = time.thread_time()
    for log in (False, True):
        plot([1.0, 0.5, 0.25, value, value * 0.5, math.nan], width=118, height=28, log=log)
    assert time.thread_time() - began < 0.5
