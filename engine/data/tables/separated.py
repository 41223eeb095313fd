"""Read files of separated fields: CSV, TSV and similar."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from engine.data.progress import progress
from engine.data.tables.files import NAMED, ROWS, LineFaults, Row, refused
from engine.data.tables.header import DELIMITERS, LINES, Header, find_header, is_number, outside_quotes
from engine.experiment.mistakes import Mistake, Refused
from engine.user_folders import expanded

LARGEST_FIELD = 1 << 24


def separated(
    where: str, path: str, size: int, delimiter: str, faults: LineFaults
) -> tuple[list[str], Iterator[tuple[int, Row]], list[str]]:
    """The names of the columns, the rows with their lines, and notes, which are complete once all rows are read.

    Raises:
        Refused: there are no column names, or one occurs twice.
    """
    raw = open(expanded(path), "rb")  # noqa: SIM115 - closed with `file` by `rows`
    file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    try:
        header, reader, row = _begun(where, path, file, delimiter)
        names, unnamed = _names(where, path, row, header)
    except Refused:
        file.close()
        raise
    notes = [f"{Path(path).name}: {note}." for note in header.notes]
    said = any("separated" in note for note in header.notes)
    if delimiter == "auto" and not said and header.delimiter != "," and not path.lower().endswith((".tsv", ".tab")):
        notes.append(f"{Path(path).name}: columns are separated by {DELIMITERS[header.delimiter]}.")
    if unnamed:
        named = ", ".join(unnamed)
        notes.append(f"{Path(path).name}: columns without a name are called {named} and are not features.")

    def rows() -> Iterator[tuple[int, Row]]:
        width = len(names)
        line, good = reader.line + 1, 0
        others: Counter[int] = Counter()
        comments: list[int] = []
        with file:
            while True:
                try:
                    row = reader.next()
                except csv.Error as error:
                    fix = 'Close its quotes; write a quote within quotes as "".'
                    faults.add(line, f"cannot be parsed ({error})", "expected fields, quoted where they need it", fix)
                    return
                if row is None:
                    break
                if len(row) == width:
                    good += 1
                    yield line, row  # type: ignore[misc]  # a list of str is one of str | None
                elif header.comments and row and row[0].startswith("#"):
                    comments.append(line)
                elif row:
                    others[len(row)] += 1
                    few = len(row) < width
                    faults.add(
                        line,
                        f"has {len(row):,} field{'s' * (len(row) != 1)}",
                        f"expected {width:,} as in line {header.line}",
                        "Add the missing fields."
                        if few
                        else f"Quote fields that contain {DELIMITERS[header.delimiter]}.",
                    )
                line = reader.line + 1
                if line % ROWS == 0:
                    progress("Reading rows", raw.tell(), size)
        if comments:
            more = f" and {len(comments) - 1:,} more are" if len(comments) > 1 else " is"
            notes.append(f"{Path(path).name}: line {comments[0]:,}{more} left out, as comments.")
        if not good and len(others) == 1 and others.total() > 1:
            (found,) = others
            faults.replace(
                f"line {header.line} has {width:,} field{'s' * (width != 1)}, and every line below it has {found:,}",
                f"expected the names of {found:,} columns",
                "Add the missing names, or remove the lines above the names."
                if found > width
                else "Remove surplus names, or separate the fields of all rows in the same way.",
            )

    return names, rows(), notes


class _Fields:
    """Reads rows of fields, and counts the lines of the file."""

    def __init__(self, file: io.TextIOWrapper, delimiter: str, above: int) -> None:
        self._reader = csv.reader(file, delimiter=delimiter, strict=True)
        self._above = above

    @property
    def line(self) -> int:
        return self._above + self._reader.line_num

    def next(self) -> list[str] | None:
        """The next row, None at the end.

        Raises:
            csv.Error: the row cannot be parsed.
        """
        return next(self._reader, None)


def _begun(where: str, path: str, file: io.TextIOWrapper, delimiter: str) -> tuple[Header, _Fields, list[str]]:
    """The header, the reader of the rows below it, and the fields of the header."""
    header = find_header(list(islice(iter(file.readline, ""), LINES)), delimiter)
    if header is None:
        raise refused(where, path, "it contains only blank lines", "expected column names", "Add rows to it.")
    file.seek(0)
    head = [file.readline() for _ in range(header.line)][-1]
    taken, likely = header.delimiter, header.likely
    if outside_quotes(head, likely) > outside_quotes(head, taken) == 0:
        count = outside_quotes(head, likely)
        raise refused(
            where,
            path,
            f"line {header.line} has no {DELIMITERS[taken].split()[1]}, but {DELIMITERS[likely]} {count:,} times",
            f"expected columns separated by {DELIMITERS[taken]}",
            f"Set data.delimiter = {json.dumps(likely)}.",
        )
    file.seek(0)
    for _ in range(header.line - 1):
        file.readline()
    csv.field_size_limit(LARGEST_FIELD)
    reader = _Fields(file, taken, header.line - 1)
    try:
        return header, reader, reader.next() or []
    except csv.Error as error:
        raise refused(where, path, f"line {header.line} cannot be parsed ({error})", "", "Close its quotes.") from None


def _names(where: str, path: str, row: list[str], header: Header) -> tuple[list[str], list[str]]:
    """The names of the columns, and those that were invented for columns without a name.

    Raises:
        Refused: a name occurs twice, or the line contains values.
    """
    if header.missing:
        what = "numbers" if all(map(is_number, row)) else "values"
        shown = ", ".join(row[:4]) + (" …" if len(row) > 4 else "")
        found = f"it has no header: line {header.line} contains {what} ({shown})"
        fix = "Add a line with the column names before it."
        raise refused(where, path, found, "expected the names of the columns", fix)
    names = [name.strip() or f"column {number}" for number, name in enumerate(row, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        at = {name: [number for number, other in enumerate(names, 1) if other == name] for name in twice[:NAMED]}
        raise Refused(
            Mistake(
                where,
                f"line {header.line} names {name!r} in the columns {', '.join(map(str, numbers))}",
                "expected a name once",
                "Rename all but one.",
                subject=path,
            )
            for name, numbers in at.items()
        )
    return names, [name for name, given in zip(names, row, strict=True) if not given.strip()]
