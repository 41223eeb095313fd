"""Your own table: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.sources.source import Source
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split
    from engine.data.tables.finding_notation import Marks

Columns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Delimiter = Annotated[
    Literal["auto", ",", ";", "\t", "|"],
    Field(description="What separates the columns of a CSV. auto: what the first line has most of."),
]
MissingValues = Annotated[
    tuple[str, ...],
    Field(
        strict=False,
        description='Texts that mean a missing value, letter for letter: with "NA" among them, "Na" is a value.',
    ),
]
DateFormat = Annotated[
    str | None,
    Field(
        min_length=2,
        description="How dates are written, as strftime has it: %d.%m.%Y. What stands in [ ] may be missing; %s is "
        "seconds since 1970.",
    ),
]
Decimal = Annotated[
    Literal["auto", ".", ","],
    Field(description="What stands before the decimals of a number. auto: what explains all values of a column."),
]
Thousands = Annotated[
    Literal["auto", "none", ",", ".", " ", "'", "_"],
    Field(description="What stands between the thousands of a number. auto: what explains all values of a column."),
]
UnitsRule = Annotated[
    Literal["refuse", "strip"],
    Field(
        description="What becomes of numbers with a unit, such as 150 cm. refuse: say where they are. strip: read 150. "
        "Currencies and percent signs are always read over: 5 % is 5."
    ),
]
NO_VALUE = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?")


def notation_mistakes(decimal: str, thousands: str) -> list[Mistake]:
    """That the same mark stands before the decimals and between the thousands."""
    if decimal != thousands or decimal == "auto":
        return []
    found, fix = f"{thousands!r} is data.decimal too", 'Set one of them to "auto".'
    return [Mistake("data.thousands", found, "expected another mark", fix)]


def marks(decimal: str, thousands: str, units: str, *, first_rules: bool) -> Marks:
    """The settings of a document on numbers."""
    from engine.data.tables.finding_notation import Marks

    first = "." if first_rules and decimal == "auto" else decimal
    return Marks(decimal=first, thousands=thousands, strip_units=units == "strip", first_rules=first_rules)


class Table(Source):
    """Rows of columns. Numbers are standardised, categories one-hot, dates seconds and circles.

    All that is learned of a column is learned from the training part.
    """

    name: ClassVar[str] = "table"
    summary: ClassVar[str] = "Rows of a CSV, TSV, JSON lines or Parquet file of your own, one column to be predicted."
    when: ClassVar[str] = "To tell classes apart or predict a number from columns of numbers, categories and dates."

    columns: ClassVar[tuple[str, ...]] = (
        *("target", "features", "exclude", "group"),
        *("numeric", "categorical", "dates"),
    )
    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")

    path: Annotated[
        str, Field(min_length=1, description="The file; its ending says what it is: .csv, .tsv, .jsonl, .parquet.")
    ]
    validation_path: Annotated[
        str | None,
        Field(min_length=1, description="A file whose rows are the validation part; `validation` is not used then."),
    ] = None
    test_path: Annotated[str | None, Field(min_length=1, description="A file whose rows are the test part.")] = None
    target: Annotated[str | None, Field(description="The column to be predicted.")] = None
    features: Annotated[Columns, Field(description="Columns that go in; left out, all but target and group.")] = ()
    exclude: Annotated[Columns, Field(description="Columns that do not go in.")] = ()
    group: Annotated[
        str | None, Field(description="A column: rows in which it is equal stay together in one part.")
    ] = None
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(
            description="auto: classes where the target is text, true or false, or at most 20 different whole numbers; "
            "else a number to predict."
        ),
    ] = "auto"
    missing: Annotated[
        Literal["refuse", "drop", "mean", "mean+flag"],
        Field(
            description="What becomes of missing values. refuse: say where they are. drop: leave such rows out. mean: "
            "the mean of the training part, no category. mean+flag: that, and a feature that says that it was missing."
        ),
    ] = "refuse"
    categories: Annotated[
        Literal["one-hot", "ordinal"],
        Field(
            description="one-hot: a feature for each category of the training part, all 0 for others. ordinal: its "
            "number in natural order: 9 before 10, size2 before size10."
        ),
    ] = "one-hot"
    most_categories: Annotated[
        int, Field(ge=2, le=10_000, description="Different texts that a column may have; one with more is refused.")
    ] = 100
    numeric: Annotated[Columns, Field(description="Columns of numbers, whatever most of their values look like.")] = ()
    categorical: Annotated[Columns, Field(description="Columns of categories, also where they look like numbers.")] = ()
    dates: Annotated[Columns, Field(description="Columns of dates, whatever most of their values look like.")] = ()
    date_format: DateFormat = None
    delimiter: Delimiter = "auto"
    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    units: UnitsRule = "refuse"
    missing_values: MissingValues = NO_VALUE

    def contradictions(self, data: Data) -> list[Mistake]:
        """A column in two places that exclude each other."""
        mistakes = []
        if self.group is not None and self.group == self.target:
            found, fix = f"{self.group!r} is data.target too", "Name another column, or remove group."
            mistakes.append(Mistake("data.group", found, "expected another column", fix))
        for name in self.features:
            if name in (self.target, self.group):
                role = "target" if name == self.target else "group"
                found, fix = f"{name!r} is the {role}", "Take it out of features."
                mistakes.append(Mistake("data.features", found, "expected other columns", fix))
            if name in self.exclude:
                found, fix = f"{name!r} is in data.features too", "Take it out of one of them."
                mistakes.append(Mistake("data.exclude", found, "expected it in one of them", fix))
        kinds = {"numeric": self.numeric, "categorical": self.categorical, "dates": self.dates}
        seen: dict[str, str] = {}
        for kind, names in kinds.items():
            for name in names:
                if seen.get(name, kind) != kind:
                    found, fix = f"{name!r} is in data.{seen[name]} too", "Take it out of one of them."
                    mistakes.append(Mistake(f"data.{kind}", found, "expected it in one of them", fix))
                seen[name] = kind
        mistakes += notation_mistakes(self.decimal, self.thousands)
        if self.date_format is not None and "%" not in self.date_format:
            fix = "Write %Y for the year, %m for the month, %d for the day."
            mistakes.append(Mistake("data.date_format", repr(self.date_format), "expected a format of strftime", fix))
        return mistakes

    def marks(self, *, first_rules: bool = False) -> Marks:
        """How numbers are written, as far as the document says it."""
        return marks(self.decimal, self.thousands, self.units, first_rules=first_rules)

    def files(self) -> tuple[str, ...]:
        """All files that rows come from."""
        return tuple(filter(None, (self.path, self.validation_path, self.test_path)))

    def load(self, split: Split) -> Dataset:
        """Vectors (F,) float32, and a class or a standardised number."""
        from engine.data.tables.load import load_table

        return load_table(self, split)
