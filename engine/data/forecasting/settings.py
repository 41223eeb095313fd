"""The parameters of a series in a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.source import Source
from engine.data.tables.settings import (
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
    from engine.data.tables.finding_notation import Marks


class SeriesSettings(Source):
    """The parameters of a series."""

    columns: ClassVar[tuple[str, ...]] = ("target", "features", "time")

    path: Annotated[
        str, Field(min_length=1, description="The file, one row per step, oldest first: .csv, .tsv, .jsonl, .parquet.")
    ]
    target: Annotated[
        Annotated[str, Field(min_length=1)] | Columns, Field(description="The column to forecast, or several.")
    ] = ()
    features: Annotated[Columns, Field(description="Further input columns, up to the window's end.")] = ()
    time: Annotated[
        str | None, Field(description="A column of ascending dates or numbers; it is checked and is not an input.")
    ] = None
    window: Annotated[int, Field(ge=1, description="Rows of the input window.")] = 24
    horizon: Annotated[int, Field(ge=1, description="Rows after the window to forecast, in one step.")] = 1
    stride: Annotated[int, Field(ge=1, description="Rows from the start of one window to the next.")] = 1
    season: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto"],
        Field(
            description="Steps of a season, for the seasonal-naive forecast. auto: with times, 12 for months, 4 for "
            "quarters, 52 for weeks, 7 for days, 24 for hours. 1: no season."
        ),
    ] = "auto"
    missing: Annotated[
        Literal["refuse", "previous"],
        Field(description="refuse: report missing values. previous: repeat the value before."),
    ] = "refuse"
    date_format: DateFormat = None
    delimiter: Delimiter = "auto"
    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    units: UnitsRule = "refuse"
    missing_values: MissingValues = NO_VALUE

    def contradictions(self, data: Data) -> list[Mistake]:
        """A column in two roles that exclude each other."""
        targets = (self.target,) if isinstance(self.target, str) else self.target
        where: dict[str, str] = {}
        mistakes = notation_mistakes(self.decimal, self.thousands)
        for field, names in (("target", targets), ("features", self.features), ("time", (self.time,))):
            for name in names:
                if name is None:
                    continue
                if where.get(name, field) != field:
                    found = f"{name!r} is in data.{where[name]} too"
                    mistakes.append(Mistake(f"data.{field}", found, "expected it once", "Remove it from one of them."))
                where[name] = field
        return mistakes

    def marks(self, *, first_rules: bool = False) -> Marks:
        """The marks of numbers that the document sets."""
        return marks(self.decimal, self.thousands, self.units, first_rules=first_rules)
