"""Find the line with the names of the columns in a file of separated fields, and the lines above it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
MOST_TITLES = 10
"""Maximum number of lines with one field above the header, including blank ones."""
LINES = 200
"""Lines at the start of a file that are inspected."""
_SEP = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line that names the delimiter for spreadsheets."""
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The line with the names of the columns, counted from 1, and what is known from the lines above it."""

    line: int
    delimiter: str
    likely: str
    """The most frequent delimiter of the line."""
    notes: tuple[str, ...] = ()
    comments: bool = False
    """Whether lines above it start with #."""
    missing: bool = False
    """Whether the line contains values, since the file has no names."""


def find_header(lines: Sequence[str], delimiter: str) -> Header | None:
    """Find the header of a file in its first lines; None if they are all blank.

    Args:
        delimiter: the delimiter that the document sets, or `auto`.
    """
    notes: list[str] = []
    at = _next(lines, 0)
    if at < len(lines) and (said := _SEP.fullmatch(lines[at].rstrip("\r\n"))) and said[1] in DELIMITERS:
        notes.append(f"line {at + 1} says that columns are separated by {DELIMITERS[said[1]]}")
        delimiter = said[1] if delimiter == "auto" else delimiter
        at = _next(lines, at + 1)
    comments: list[int] = []
    while at < len(lines):
        below = _next(lines, at + 1)
        if lines[at].startswith("#") and not _is_commented_header(lines, at, delimiter):
            comments.append(at + 1)
        elif _is_title(lines, at, below, delimiter):
            notes.append(f"line {at + 1} is a title and is left out ({lines[at].strip()[:60]!r})")
        else:
            break
        at = below
    if at == len(lines):
        return None
    if comments:
        counted = f"line {comments[0]} is a comment" if len(comments) == 1 else f"{len(comments):,} lines are comments"
        notes.append(f"{counted} and {'is' if len(comments) == 1 else 'are'} left out")
    likely = _most(lines[at])
    taken = likely if delimiter == "auto" else delimiter
    return Header(
        line=at + 1,
        delimiter=taken,
        likely=likely,
        notes=tuple(notes),
        comments=bool(comments),
        missing=_holds_values(_cells(lines[at:], taken)),
    )


def outside_quotes(line: str, mark: str) -> int:
    """How often a mark occurs in a line outside quotes."""
    return sum(part.count(mark) for part in line.split('"')[::2])


def is_value(text: str) -> bool:
    """Whether a field is more likely a value than a name: it has a digit, and no letter but an exponent's."""
    return is_number(text) or (any(c.isdigit() for c in text) and not _LETTER.search(text))


def is_number(text: str) -> bool:
    """Whether a field is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _next(lines: Sequence[str], start: int) -> int:
    """The index of the first line from `start` on that is not blank; the number of lines if there is none."""
    return next((at for at in range(start, len(lines)) if lines[at].strip()), len(lines))


def _most(line: str) -> str:
    counted = {mark: outside_quotes(line, mark) for mark in DELIMITERS}
    likely = max(counted, key=lambda mark: counted[mark])
    return likely if counted[likely] else ","


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The fields of each line that is not blank; empty if the lines cannot be parsed."""
    try:
        return [row for row in csv.reader(list(lines), delimiter=delimiter) if row]
    except csv.Error:
        return []


def _row(line: str, delimiter: str) -> list[str]:
    rows = _cells([line], _most(line) if delimiter == "auto" else delimiter)
    return rows[0] if rows else []


def _is_title(lines: Sequence[str], at: int, below: int, delimiter: str) -> bool:
    """Whether a line has one field and is followed by several column names and a row of as many fields."""
    if below >= len(lines) or lines[at].count('"') % 2:
        return False
    above = _row(lines[at], delimiter)
    if _filled(above) > 1 or above[:1] == [""]:  # an index column has no name
        return False
    last = min(len(lines) - 1, at + MOST_TITLES)
    while below < last and _filled(_row(lines[below], delimiter)) < 2:
        below = min(last, _next(lines, below + 1))
    names, values = _row(lines[below], delimiter), list[str]()
    if (after := _next(lines, below + 1)) < len(lines):
        values = _row(lines[after], delimiter)
    return _filled(names) > 1 and not any(map(is_value, names)) and (not values or len(values) == len(names))


def _filled(row: Sequence[str]) -> int:
    return sum(bool(field.strip()) for field in row)


def _is_commented_header(lines: Sequence[str], at: int, delimiter: str) -> bool:
    """Whether a line that starts with # contains the names, `#chrom pos`: the next line has as many values."""
    below = next((n for n in range(at + 1, len(lines)) if lines[n].strip() and not lines[n].startswith("#")), None)
    if below is None:
        return False
    mark = _most(lines[below]) if delimiter == "auto" else delimiter
    names, values = _row(lines[at].removeprefix("#"), mark), _row(lines[below], mark)
    if not len(names) == len(values) > 1 or any(map(is_value, names)):
        return False
    return any(map(is_value, values)) or not lines[at][1:2].isspace()


def _holds_values(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row contains values: only numbers, a number twice, or texts that occur again below."""
    if not rows:
        return False
    first, others = rows[0], list(islice(rows, 1, None))
    values = [field.strip() for field in first if is_value(field)]
    texts = [(place, field) for place, field in enumerate(first) if field.strip() and not is_value(field)]
    if not values:
        return False
    if not texts:
        return all(map(is_number, first))
    if max(Counter(values).values()) > 1:
        return True
    below = [{row[place] for row in others if place < len(row)} for place, _ in texts]
    return all(field in seen for (_, field), seen in zip(texts, below, strict=True))
