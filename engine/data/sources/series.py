"""Your own series: columns of numbers in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.description import Task
from engine.data.sources.source import Source
from engine.data.sources.table import (
    NO_VALUE,
    Columns,
    DateFormat,
    Decimal,
    Delimiter,
    MissingValues,
    Thousands,
    UnitsRule,
    marks,
    notation_mistakes,
)
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split
    from engine.data.tables.finding_notation import Marks


class Series(Source):
    """Windows of one or several columns, and the values that follow each.

    Parts follow one another in time, and all columns are standardised by the first of them.
    """

    name: ClassVar[str] = "series"
    summary: ClassVar[str] = "Windows of the columns of a CSV, TSV, JSON lines or Parquet file, and what follows them."
    when: ClassVar[str] = "To forecast numbers of your own, compared with the naive and the seasonal-naive forecast."
    columns: ClassVar[tuple[str, ...]] = ("target", "features", "time")

    only_task: ClassVar[Task | None] = "forecasting"

    path: Annotated[
        str, Field(min_length=1, description="The file, a row a step, oldest first: .csv, .tsv, .jsonl, .parquet.")
    ]
    target: Annotated[
        Annotated[str, Field(min_length=1)] | Columns, Field(description="The column to be forecast, or several.")
    ] = ()
    features: Annotated[Columns, Field(description="Columns that the network sees too, up to the window's end.")] = ()
    time: Annotated[
        str | None, Field(description="A column of dates or numbers that ascend; it is checked and does not go in.")
    ] = None
    window: Annotated[int, Field(ge=1, description="Rows that the network sees.")] = 24
    horizon: Annotated[int, Field(ge=1, description="Rows after the window that it forecasts, all at once.")] = 1
    stride: Annotated[int, Field(ge=1, description="Rows from the start of one window to that of the next.")] = 1
    season: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto"],
        Field(
            description="Steps of a season, after which the seasonal-naive forecast repeats. auto: 12 of months, 4 of "
            "quarters, 52 of weeks, 7 of days, 24 of hours, if there is a column of times. 1: there is none."
        ),
    ] = "auto"
    missing: Annotated[
        Literal["refuse", "previous"],
        Field(description="refuse: say where values are missing. previous: they are what came before them."),
    ] = "refuse"
    date_format: DateFormat = None
    delimiter: Delimiter = "auto"
    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    units: UnitsRule = "refuse"
    missing_values: MissingValues = NO_VALUE

    def contradictions(self, data: Data) -> list[Mistake]:
        """A column in two places that exclude each other."""
        targets = (self.target,) if isinstance(self.target, str) else self.target
        where: dict[str, str] = {}
        mistakes = notation_mistakes(self.decimal, self.thousands)
        for field, names in (("target", targets), ("features", self.features), ("time", (self.time,))):
            for name in names:
                if name is None:
                    continue
                if where.get(name, field) != field:
                    found = f"{name!r} is in data.{where[name]} too"
                    mistakes.append(Mistake(f"data.{field}", found, "expected it once", "Take it out of one place."))
                where[name] = field
        return mistakes

    def marks(self, *, first_rules: bool = False) -> Marks:
        """How numbers are written, as far as the document says it."""
        return marks(self.decimal, self.thousands, self.units, first_rules=first_rules)

    def load(self, split: Split) -> Dataset:
        """Sequences (T=window, F) and the next `horizon` values of every target, one after the other in time."""
        from engine.data.forecasting.load import load_series

        return load_series(self, split)
