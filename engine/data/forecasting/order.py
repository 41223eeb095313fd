"""Explain times that do not ascend: a clock that was set back, several series in one file, or unsorted rows.

L rows in the order of the file, K of which have a time.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.tables.columns import Bools, Floats, of_no_use, texts
from engine.data.tables.rows import Faults, short
from engine.experiment.mistakes import Mistake, Refused

HOUR_S, DAY_S = 3600, 86_400
_NIGHT_H = 4
_CHANGES = (2, 3, 4, 9, 10, 11)
"""Months in which clocks are set back, north and south of the equator."""
_APART_S = 150 * DAY_S
_AS_OFTEN = 1.5
"""Mean number of rows per time from which a file may contain several series."""


def check_order(at: Floats, name: str, faults: Faults, *, are_dates: bool) -> None:
    """Check that times (L,), NaN if missing, ascend. Single rows that do not are added to `faults`.

    Raises:
        Refused: they run backwards, or there are several series.
    """
    known = np.isfinite(at)
    steps = np.diff(at[known])
    if not len(steps) or (steps > 0).all():
        return
    if (steps < 0).mean() > 0.5:
        found = f"the times of {name!r} run backwards"
        raise Refused(Mistake("data.time", found, "expected the oldest row first", f"Sort the rows by {name}."))
    if several := _several_series(at, known, name, faults):
        raise Refused(several)
    back = _set_back(at[known]) if are_dates else np.zeros(len(steps), dtype=bool)
    once, ascend = "expected each time once", "expected times that ascend"
    faults.add(
        name,
        _rows(known, back),
        "{value} occurs again, since the clock was set back by an hour (end of summer time)",
        ascend,
        "Write the times in UTC or with their offset, such as 2022-10-30 02:00+01:00.",
    )
    faults.add(name, _rows(known, (steps == 0) & ~back), "{value} occurs twice", once, "Remove one of them.")
    late = _rows(known, (steps < 0) & ~back)
    faults.add(name, late, "{value} comes after a later time", ascend, f"Sort the rows by {name}.")


def _rows(known: Bools, found: Bools) -> Bools:
    """Steps (K - 1,) between the rows that have a time, as the rows (L,) that they lead to."""
    rows = np.zeros(len(known), dtype=bool)
    rows[np.flatnonzero(known)[1:][found]] = True
    return rows


def _set_back(at: Floats) -> Bools:
    """(K - 1,) whether a step is an hour less than usual, at night, in a month of clock changes, once a season."""
    steps = np.diff(at)
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) else 0.0
    nowhere = np.zeros(len(steps), dtype=bool)
    if not 0 < usual <= HOUR_S:
        return nowhere
    after = at[1:]
    months = after.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    found = (steps <= 0) & (np.abs(steps - (usual - HOUR_S)) < 1e-3 * HOUR_S)
    found &= np.isin(months, _CHANGES) & (after % DAY_S < _NIGHT_H * HOUR_S)
    return found if (np.diff(after[found]) > _APART_S).all() else nowhere


def _several_series(at: Floats, known: Bools, name: str, faults: Faults) -> Mistake | None:
    """The mistake of a file with several series, with the column that distinguishes them; None for one series."""
    times = at[known]
    often = len(times) / len(np.unique(times))
    starts = np.flatnonzero(np.diff(times) < 0) + 1
    blocks = 0 < len(starts) < len(times) // 2 and bool((times[starts] <= np.quantile(times, 0.25)).all())
    if often < _AS_OFTEN and not blocks:
        return None
    (table,) = faults.rows.tables
    for column in table.frame.get_columns():
        if column.name == name or of_no_use(column) or column.dtype.is_float():
            continue
        series = texts(column.gather(faults.rows.number[known]))
        if parts := _ascending_in_each(series, times, starts, blocks=often < _AS_OFTEN):
            shown = ", ".join(map(short, parts[:3])) + (" …" if len(parts) > 3 else "")
            found = f"the file contains {len(parts):,} series, one for each {column.name} ({shown})"
            fix = f"Select the rows of one {column.name}, or use one row per time and one column per {column.name}."
            return Mistake("data.time", found, f"expected each time of {name} once", fix, subject=table.path)
    each = np.unique(times, return_counts=True)[1]
    if each.min() == each.max() > 1:
        found = f"each time of {name} occurs {int(each[0]):,} times, as in a file of several series"
        fix = "Use one file per series, or one row per time and one column per series."
        return Mistake("data.time", found, "expected each time once", fix, subject=table.path)
    return None


def _ascending_in_each(series: pl.Series, times: Floats, starts: NDArray[np.int64], *, blocks: bool) -> list[str]:
    """Names of the series in a column (K,), if the times of each ascend; else an empty list.

    Args:
        starts: rows at which times go back.
        blocks: whether each series must be one block of rows, which begins where times go back.
    """
    names, numbers = np.unique(series.fill_null("").to_numpy().astype(str), return_inverse=True)
    if not 2 <= len(names) <= len(times) // 2:
        return []
    if blocks and not np.array_equal(np.flatnonzero(np.diff(numbers)) + 1, starts):
        return []
    order = np.argsort(numbers, kind="stable")
    same = np.diff(numbers[order]) == 0
    return names.tolist() if (np.diff(times[order])[same] > 0).all() else []
