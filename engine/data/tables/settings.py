"""The parameters of a table in a document, and those on numbers and dates that series have too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.source import Source
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake

if TYPE_CHECKING:
    from engine.data.tables.finding_notation import Marks

Columns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Delimiter = Annotated[
    Literal["auto", ",", ";", "\t", "|"],
    Field(description="The character between the columns of a CSV. auto: the most frequent one in the first line."),
]
MissingValues = Annotated[
    tuple[str, ...],
    Field(
        strict=False,
        description='Texts that mean a missing value, case-sensitive: with "NA" in the list, "Na" is a value.',
    ),
]
DateFormat = Annotated[
    str | None,
    Field(
        min_length=2,
        description="Format of dates, as in strftime: %d.%m.%Y. Parts in [ ] are optional; %s is seconds since 1970.",
    ),
]
Decimal = Annotated[
    Literal["auto", ".", ","],
    Field(description="The decimal mark of numbers. auto: the one that fits all values of a column."),
]
Thousands = Annotated[
    Literal["auto", "none", ",", ".", " ", "'", "_"],
    Field(description="The mark between thousands. auto: the one that fits all values of a column."),
]
UnitsRule = Annotated[
    Literal["refuse", "strip"],
    Field(
        description="How to read numbers with a unit, such as 150 cm. refuse: report them. strip: read 150. Currencies "
        "and percent signs are always ignored: 5 % is 5."
    ),
]
NO_VALUE = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?")


def notation_mistakes(decimal: str, thousands: str) -> list[Mistake]:
    """The mistake of one mark for decimals and thousands."""
    if decimal != thousands or decimal == "auto":
        return []
    found, fix = f"{thousands!r} is data.decimal too", 'Set one of them to "auto".'
    return [Mistake("data.thousands", found, "expected another mark", fix)]


def marks(decimal: str, thousands: str, units: str, *, first_rules: bool) -> Marks:
    """The marks of numbers that a document sets."""
    from engine.data.tables.finding_notation import Marks

    first = "." if first_rules and decimal == "auto" else decimal
    return Marks(decimal=first, thousands=thousands, strip_units=units == "strip", first_rules=first_rules)


class TableSettings(Source):
    """The parameters of a table."""

    columns: ClassVar[tuple[str, ...]] = (
        *("target", "features", "exclude", "group"),
        *("numeric", "categorical", "dates"),
    )

    path: Annotated[
        str, Field(min_length=1, description="The file; its ending gives the format: .csv, .tsv, .jsonl, .parquet.")
    ]
    validation_path: Annotated[
        str | None,
        Field(min_length=1, description="A file whose rows are the validation part; `validation` is not used then."),
    ] = None
    test_path: Annotated[str | None, Field(min_length=1, description="A file whose rows are the test part.")] = None
    target: Annotated[str | None, Field(description="The column to predict.")] = None
    features: Annotated[
        Columns, Field(description="Columns that are features; left out, all except target and group.")
    ] = ()
    exclude: Annotated[Columns, Field(description="Columns that are not features.")] = ()
    group: Annotated[str | None, Field(description="A column: rows with equal values stay together in one part.")] = (
        None
    )
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(
            description="auto: classes if the target is text, true or false, or at most 20 different whole numbers; "
            "otherwise a number to predict."
        ),
    ] = "auto"
    missing: Annotated[
        Literal["refuse", "drop", "mean", "mean+flag"],
        Field(
            description="How to handle missing values. refuse: report them. drop: leave such rows out. mean: use the "
            "mean of the training part, or no category. mean+flag: also add a feature that marks missing values."
        ),
    ] = "refuse"
    categories: Annotated[
        Literal["one-hot", "ordinal"],
        Field(
            description="one-hot: a feature for each category of the training part, all 0 for others. ordinal: the "
            "number of the category in natural order: 9 before 10, size2 before size10."
        ),
    ] = "one-hot"
    most_categories: Annotated[
        int,
        Field(
            ge=2, le=10_000, description="Maximum number of different texts in a column; a column with more is refused."
        ),
    ] = 100
    numeric: Annotated[Columns, Field(description="Columns to read as numbers, whatever their values look like.")] = ()
    categorical: Annotated[
        Columns, Field(description="Columns to read as categories, even if they look like numbers.")
    ] = ()
    dates: Annotated[Columns, Field(description="Columns to read as dates, whatever their values look like.")] = ()
    date_format: DateFormat = None
    delimiter: Delimiter = "auto"
    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    units: UnitsRule = "refuse"
    missing_values: MissingValues = NO_VALUE

    def contradictions(self, data: Data) -> list[Mistake]:
        """A column in two roles that exclude each other."""
        mistakes = []
        if self.group is not None and self.group == self.target:
            found, fix = f"{self.group!r} is data.target too", "Name another column, or remove group."
            mistakes.append(Mistake("data.group", found, "expected another column", fix))
        for name in self.features:
            if name in (self.target, self.group):
                role = "target" if name == self.target else "group"
                found, fix = f"{name!r} is the {role}", "Remove it from features."
                mistakes.append(Mistake("data.features", found, "expected other columns", fix))
            if name in self.exclude:
                found, fix = f"{name!r} is in data.features too", "Remove it from one of them."
                mistakes.append(Mistake("data.exclude", found, "expected it in one of them", fix))
        kinds = {"numeric": self.numeric, "categorical": self.categorical, "dates": self.dates}
        seen: dict[str, str] = {}
        for kind, names in kinds.items():
            for name in names:
                if seen.get(name, kind) != kind:
                    found, fix = f"{name!r} is in data.{seen[name]} too", "Remove it from one of them."
                    mistakes.append(Mistake(f"data.{kind}", found, "expected it in one of them", fix))
                seen[name] = kind
        mistakes += notation_mistakes(self.decimal, self.thousands)
        if self.date_format is not None and "%" not in self.date_format:
            fix = "Write %Y for the year, %m for the month, %d for the day."
            mistakes.append(Mistake("data.date_format", repr(self.date_format), "expected a format of strftime", fix))
        return mistakes

    def marks(self, *, first_rules: bool = False) -> Marks:
        """The marks of numbers that the document sets."""
        return marks(self.decimal, self.thousands, self.units, first_rules=first_rules)

    def files(self) -> tuple[str, ...]:
        """All files that rows come from."""
        return tuple(filter(None, (self.path, self.validation_path, self.test_path)))
