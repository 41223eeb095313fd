"""Missing values of a table: their counts, the texts that were read as missing, and how such rows are handled.

N rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from engine.data.tables.columns import Bools
from engine.data.tables.files import NAMED
from engine.data.tables.rows import Rows, short
from engine.experiment.mistakes import Mistake

_TEXTS = 5
"""Maximum number of texts that are listed for one column."""


def counted(columns: Mapping[str, tuple[pl.Series, Bools]]) -> str:
    """Count the missing values of each column, most first, with the texts that were read as missing.

    >>> gone = np.array([True, True, False])
    >>> counted({"garage": (pl.Series(["None", "", "Attchd"]), gone)})
    "garage 2 ('None' 1, empty 1)"
    """
    number = {name: int(gone.sum()) for name, (_, gone) in columns.items() if gone.any()}
    most = sorted(number, key=lambda name: -number[name])
    said = ", ".join(f"{name} {number[name]:,}{_by_text(*columns[name])}" for name in most[:NAMED])
    return said + (f" and {len(most) - NAMED} more columns" if len(most) > NAMED else "")


def texts_read_as_missing(columns: Iterable[tuple[pl.Series, Bools]]) -> tuple[str, ...]:
    """The non-empty texts that were read as missing, without repetition, in the order of the columns."""
    found = dict.fromkeys(text for column, gone in columns for text, _ in _texts(column, gone))
    return tuple(text for text in found if text)


def values_advice(texts: Sequence[str]) -> str:
    """A sentence on how to read texts as values that were read as missing; empty if there are none."""
    if not texts:
        return ""
    named = ", ".join(map(short, texts[:_TEXTS])) + (" …" if len(texts) > _TEXTS else "")
    return f' Set data.missing_values = [""] if {named} {_is(texts)}.'


def _is(texts: Sequence[str]) -> str:
    return "is a value" if len(texts) == 1 else "are values"


def _texts(column: pl.Series, gone: Bools) -> list[tuple[str, int]]:
    """The texts of rows without a value and their counts, the most frequent first."""
    if column.dtype != pl.String or not gone.any():
        return []
    counts = column.filter(pl.Series(gone)).str.strip_chars().fill_null("").alias("text").value_counts(name="count")
    pairs = zip(counts["text"].to_list(), counts["count"].to_list(), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def _by_text(column: pl.Series, gone: Bools) -> str:
    found = _texts(column, gone)
    if not any(text for text, _ in found):
        return ""
    if len(found) == 1:
        return f" ({short(found[0][0])})"
    named = ", ".join(f"{short(text) if text else 'empty'} {count:,}" for text, count in found[:_TEXTS])
    return f" ({named}{' …' if len(found) > _TEXTS else ''})"


def target_mistakes(
    rows: Rows, gone: Mapping[str, Bools], columns: Mapping[str, str], *, refuse: bool
) -> list[Mistake]:
    """The mistakes of rows without a target or group.

    Args:
        columns: the column of each field: `target`, `group`.
        refuse: whether any such row is a mistake; otherwise only a column without values is.
    """
    mistakes = []
    for field, name in columns.items():
        if not gone[name].any() or not (refuse or gone[name].all()):
            continue
        count, (table, place) = int(gone[name].sum()), rows.place(int(gone[name].argmax()))
        texts = texts_read_as_missing([(rows.frame[name], gone[name])])
        said = _by_text(rows.frame[name], gone[name])
        found = f"{count:,} of {len(rows):,} rows have no {name}{said}, the first of them in {place} of {table.path}"
        fix = "Fill them, or set data.missing to another value, which leaves such rows out." + values_advice(texts)
        mistakes.append(Mistake(f"data.{field}", found, f"expected a {field} in every row", fix))
    return mistakes


def target_notes(rows: Rows, gone: Mapping[str, Bools], columns: Iterable[str]) -> list[str]:
    """Sentences on rows that are left out because they have no target or group."""
    notes = []
    for name in columns:
        if not gone[name].any():
            continue
        count, (_, place) = int(gone[name].sum()), rows.place(int(gone[name].argmax()))
        texts = texts_read_as_missing([(rows.frame[name], gone[name])])
        without = f"without {name}{_by_text(rows.frame[name], gone[name])}"
        said = f"{count:,} rows {without} are" if count > 1 else f"1 row {without} is"
        first = "the first of them " if count > 1 else ""
        notes.append(f"{said} left out, {first}in {place}.{values_advice(texts)}")
    return notes


def feature_mistakes(rows: Rows, gone: Mapping[str, Bools]) -> list[Mistake]:
    """The mistake of features with missing values."""
    incomplete = incomplete_rows(len(rows), gone)
    count = int(incomplete.sum())
    if not count:
        return []
    columns = {name: (rows.frame[name], missing) for name, missing in gone.items()}
    table, place = rows.place(int(incomplete.argmax()))
    most = max(gone, key=lambda name: int(gone[name].sum()))
    found = (
        f"{count:,} of {len(rows):,} rows have missing values ({counted(columns)}), the first of them in {place} of "
        f"{table.path}"
    )
    fix = (
        f'Set data.missing to "mean", "mean+flag" or "drop", which leaves {len(rows) - count:,} rows; or leave columns '
        f"out: data.exclude = [{most!r}]." + values_advice(texts_read_as_missing(columns.values()))
    )
    return [Mistake("data.missing", found, "expected a value in every row", fix)]


def feature_note(rows: Rows, gone: Mapping[str, Bools], rule: str) -> str:
    """A sentence on how missing values are handled; empty if none is missing."""
    count = int(incomplete_rows(len(rows), gone).sum())
    if not count:
        return ""
    columns = {name: (rows.frame[name], missing) for name, missing in gone.items()}
    advice = values_advice(texts_read_as_missing(columns.values()))
    said = counted(columns)
    if rule == "drop":
        return f"{count:,} of {len(rows):,} rows have missing values and are left out ({said}).{advice}"
    filled = "the mean of the training part for numbers and dates, all 0 for categories"
    flagged = ", and a feature marks them" if rule == "mean+flag" else ""
    return f"Missing values ({said}) become {filled}{flagged}.{advice}"


def incomplete_rows(rows: int, gone: Mapping[str, Bools]) -> Bools:
    """(N,) whether a value is missing."""
    incomplete = np.zeros(rows, dtype=bool)
    for missing_here in gone.values():
        incomplete |= missing_here
    return incomplete
