"""Read tables from files (CSV, TSV, JSON lines, Parquet) into a polars data frame.

Text is parsed row by row, so that every fault has its line; values are interpreted later, column by column.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.progress import progress
from engine.data.tables.files import NAMED, ROWS, LineFaults, Row, check_text, refuse_too_large, refused, size_of
from engine.data.tables.header import DELIMITERS
from engine.data.tables.separated import separated
from engine.data.words import one_form
from engine.experiment.mistakes import Mistake, unknown_name
from engine.user_folders import expanded

SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
_JSON, _PARQUET = (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")
_CELL_BYTES = 48
"""Memory of a text in polars, including one column at a time in another type; long texts take their length too."""
_AT_LEAST = 1 << 26
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The columns of a file, and the positions of its rows."""

    where: str
    """The parameter that names the file: `data.path`."""
    path: str
    frame: pl.DataFrame
    """Columns of text; Parquet has types."""
    lines: NDArray[np.int64] | None
    """(N,) the line of each row, from 1; None for Parquet."""
    notes: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    """Columns of text whose values are all numbers in JSON, which has one notation."""

    def place(self, row: int) -> str:
        """The position of a row, for a user who opens the file."""
        return f"row {row + 1:,}" if self.lines is None else f"line {int(self.lines[row]):,}"


def unknown_columns(given: Mapping[str, Iterable[str]], there: Sequence[str], path: str) -> list[Mistake]:
    """The mistakes of names that are not columns of the file, by the field of the document."""
    return [
        unknown_name(f"data.{field}", name, there, f"a column of {path}")
        for field, names in given.items()
        for name in names
        if name not in there
    ]


def read(where: str, path: str, delimiter: str = "auto") -> Table:
    """Read a file by the ending of its name. Names of columns are in one Unicode form.

    Raises:
        Refused: with every fault of its format, of which at most twenty are listed.
    """
    table = _read(where, path, delimiter)
    changed = {name: form for name in table.frame.columns if (form := one_form(name)) != name}
    if not changed:
        return table
    if twice := [name for name, form in changed.items() if form in table.frame.columns]:
        found = f"two columns are named {changed[twice[0]]!r}, in different Unicode forms"
        raise refused(where, path, found, "expected a name once", "Rename one of them.")
    return replace(table, frame=table.frame.rename(changed))


def _read(where: str, path: str, delimiter: str) -> Table:
    size = size_of(where, path)
    suffix = Path(path).suffix.lower()
    if suffix in _PARQUET:
        return _parquet(where, path)
    if suffix not in SUFFIXES:
        found = f"its name ends in {suffix}" if suffix else "its name has no ending"
        raise refused(where, path, found, f"expected {', '.join(SUFFIXES)}", "Rename it with the ending of its format.")
    refuse_too_large(where, path, bytes_in_memory(path, size))
    check_text(where, path, size)
    faults = LineFaults(where, path)
    texts: set[str] = set()
    if suffix in _JSON:
        names, rows, notes = _json_lines(where, path, size, faults, texts)
    else:
        names, rows, notes = separated(where, path, size, delimiter, faults)
    frame, lines = _columns(names, rows)
    faults.refuse()
    if not len(frame):
        found = "it has column names but no rows"
        raise refused(where, path, found, "expected at least one row", "Add rows below the names.")
    numbers = frozenset(names) - texts if suffix in _JSON else frozenset[str]()
    return Table(where, path, frame, lines, tuple(notes), numbers)


def bytes_in_memory(path: str, size: int) -> int:
    """Estimate the memory for reading a text file, from the number of fields at its start."""
    with open(expanded(path), "rb") as file:
        head = file.read(_HEAD)
    fields = head.count(b"\n") + max(head.count(mark.encode()) for mark in DELIMITERS) + 1
    return _AT_LEAST + 2 * size + size * fields // len(head) * _CELL_BYTES


def _columns(names: list[str], rows: Iterable[tuple[int, Row]]) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Convert rows to columns of text; only some rows at a time are Python objects."""
    schema = dict.fromkeys(names, pl.String)
    chunks, lines = [pl.DataFrame(schema=schema)], [np.empty(0, np.int64)]
    some: list[Row] = []
    numbers: list[int] = []

    def keep() -> None:
        columns = dict(zip(names, zip(*some, strict=True), strict=True))
        chunks.append(pl.DataFrame(columns, schema=schema))
        lines.append(np.asarray(numbers, dtype=np.int64))
        some.clear()
        numbers.clear()

    for line, row in rows:
        some.append(row)
        numbers.append(line)
        if len(some) == ROWS:
            keep()
    if some:
        keep()
    return pl.concat(chunks), np.concatenate(lines)


def _json_lines(
    where: str, path: str, size: int, faults: LineFaults, texts: set[str]
) -> tuple[list[str], Iterator[tuple[int, Row]], list[str]]:
    """Read objects, one per line. The first one sets the columns; an absent key is a missing value.

    Args:
        texts: gets the columns that contain texts, while rows are read.
    """
    raw = open(expanded(path), "rb")  # noqa: SIM115 - closed with `file` by `rows`
    file = io.TextIOWrapper(raw, encoding="utf-8-sig")
    names: list[str] = []
    for number, line in enumerate(file, 1):
        if line.strip():
            if (found := _object(number, line, faults)) is not None:
                names = list(found)
            break
    file.seek(0)
    if not names:
        file.close()
        faults.refuse()
        raise refused(where, path, "its first line has no columns", "expected an object per line", "Add keys to it.")

    def rows() -> Iterator[tuple[int, Row]]:
        known = set(names)
        with file:
            for number, line in enumerate(file, 1):
                if not line.strip() or (found := _object(number, line, faults)) is None:
                    continue
                if other := [key for key in found if key not in known]:
                    fix = f"Add it to the first line too, as null if there is no {other[0]}."
                    faults.add(number, f"has {other[0]!r}", f"expected the keys {', '.join(names[:NAMED])}", fix)
                    continue
                row: Row = [_text(found.get(name)) for name in names]
                if nested := [n for n in names if isinstance(found.get(n), (list, dict))]:
                    fix = "Give each part of it its own key."
                    faults.add(number, f"has a list or an object as {nested[0]!r}", "expected a number or a text", fix)
                    continue
                texts.update(name for name in names if isinstance(found.get(name), str))
                yield number, row
                if number % ROWS == 0:
                    progress("Reading rows", raw.tell(), size)

    return names, rows(), []


def _object(number: int, line: str, faults: LineFaults) -> dict[str, Any] | None:
    twice: list[str] = []

    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(key for key, count in Counter(key for key, _ in given).items() if count > 1)
        return dict(given)

    try:
        found = json.loads(line, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        fix = "Write each row as one object per line." if number == 1 else "Fix or remove it."
        faults.add(number, f"is not JSON ({what})", "expected an object", fix)
        return None
    if not isinstance(found, dict):
        faults.add(number, f"is {'a list' if isinstance(found, list) else 'a value'}", "expected an object", "Fix it.")
        return None
    if "\\u" in line and (half := _half_a_pair(found)):
        faults.add(number, f"has half a surrogate pair ({half})", "expected complete characters", "Fix or remove it.")
        return None
    if twice:
        faults.add(number, f"has the key {twice[0]!r} twice", "expected a key once", "Rename one of them.")
        return None
    return found


def _half_a_pair(found: dict[str, Any]) -> str:
    """A lone surrogate, which JSON can escape but text cannot contain; empty if there is none."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(error.object[error.start]):04x}"
    return ""


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _parquet(where: str, path: str) -> Table:
    file = str(expanded(path))
    try:
        lazy = pl.scan_parquet(file, glob=False)
        columns = len(lazy.collect_schema())
        rows = int(lazy.select(pl.len()).collect().item())
        refuse_too_large(where, path, rows * columns * _CELL_BYTES)
        progress("Reading rows", 0, rows)
        frame = lazy.collect()
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        said = str(error).partition("\n")[0]
        raise refused(where, path, f"it cannot be read ({said})", "expected Parquet", "Save it again.") from None
    if not len(frame):
        raise refused(where, path, "it has no rows", "expected at least one", "Add rows to it.")
    notes: tuple[str, ...] = ()
    if "" in frame.columns:
        name = f"column {frame.columns.index('') + 1}"
        frame = frame.rename({"": name})
        notes = (f"{Path(path).name}: the column without a name is called {name} and is not a feature.",)
    return Table(where, path, frame, None, notes)
