"""Every parameter that names a column: empty, absent, twice, of another type, or of a column of any type."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from engine.data.load import forget
from engine.data.sources import SOURCES
from engine.experiment import Mistake
from engine.experiment.document import Data, Experiment, Layer, Model
from engine.plan import check

try:
    import datasets
except ImportError:
    datasets = None

ROWS = 40
GIVEN: dict[str, dict[str, Any]] = {
    "table": {"target": "y"},
    "series": {"target": "x", "window": 3},
    "text": {"text": "words", "target": "y"},
    "huggingface": {"text": "words", "target": "y"},
}
"""What stands in a document of each source that reads columns of files."""
NAMING = [(name, field) for name, source in SOURCES.items() for field in source.columns]


def takes_many(source: str, field: str) -> bool:
    annotation = SOURCES[source].model_fields[field].annotation
    return any("tuple" in str(part) for part in (annotation, *get_args(annotation)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of columns of every type that Parquet has, and a column without a name."""
    start = datetime.datetime(2024, 1, 1)
    columns: dict[str, Any] = {
        "x": [i * 7 % ROWS + 0.5 for i in range(ROWS)],
        "y": ["a", "b"] * (ROWS // 2),
        "words": [f"some words and number {i}" for i in range(ROWS)],
        "truth": [i % 3 == 0 for i in range(ROWS)],
        "whole": [i * 11 % ROWS for i in range(ROWS)],
        "day": [start.date() + datetime.timedelta(days=i) for i in range(ROWS)],
        "moment": [start + datetime.timedelta(hours=i) for i in range(ROWS)],
        "zoned": pl.Series([start + datetime.timedelta(hours=i) for i in range(ROWS)]).dt.replace_time_zone("UTC"),
        "clock": [datetime.time(i % 24) for i in range(ROWS)],
        "span": [datetime.timedelta(minutes=i) for i in range(ROWS)],
        "list": [[i, i + 1] for i in range(ROWS)],
        "struct": [{"a": i} for i in range(ROWS)],
        "bytes": [b"a%d" % i for i in range(ROWS)],
        "nothing": pl.Series([None] * ROWS, dtype=pl.Null),
        "empty": pl.Series([None] * ROWS, dtype=pl.String),
        "category": pl.Series(["u", "v"] * (ROWS // 2), dtype=pl.Categorical),
        "enum": pl.Series(["u", "v"] * (ROWS // 2), dtype=pl.Enum(["u", "v"])),
        "decimal": pl.Series([f"{i}.25" for i in range(ROWS)]).cast(pl.Decimal(10, 2)),
        "unsigned": pl.Series([2**63 + i * 7 % ROWS for i in range(ROWS)], dtype=pl.UInt64),
        "nan": [float("nan")] * ROWS,
        "": [i * 3 % ROWS for i in range(ROWS)],
    }
    path = tmp_path_factory.mktemp("columns") / "t.parquet"
    pl.DataFrame(columns).write_parquet(path)
    if datasets is not None:
        plain = {name: values for name, values in columns.items() if not isinstance(values, pl.Series)}
        datasets.Dataset(pl.DataFrame(plain).to_arrow()).save_to_disk(str(path.parent / "hub"))
    return path


TYPES = ("x", "y", "words", "truth", "whole", "day", "moment", "zoned", "clock", "span", "list", "struct", "bytes")
TYPES += ("nothing", "empty", "category", "enum", "decimal", "unsigned", "nan", "")


def mistakes(source: str, path: Path, **given: Any) -> tuple[Mistake, ...]:
    """What a document is answered with. Anything but a plan fails the test."""
    forget()
    if source == "huggingface":
        if datasets is None:
            pytest.skip("the package datasets is not installed")
        path = path.parent / "hub"
    fields = {"source": source, "path": str(path), **GIVEN[source], **given}
    features = {"features": ["x"]} if source == "table" and "features" not in given else {}
    data = Data.model_validate(features | fields)
    plan = check(Experiment(data=data, model=Model(layers=(Layer(type="Flatten"),))))
    for mistake in plan.mistakes:
        assert str(mistake).endswith((".", "?")) and "Traceback" not in str(mistake) and "polars" not in str(mistake)
    return plan.mistakes


def at(found: tuple[Mistake, ...], path: str) -> Mistake:
    here = [mistake for mistake in found if mistake.path.startswith(path) and mistake.severity == "error"]
    assert here, found
    return here[0]


def values(source: str, field: str, name: Any) -> list[Any]:
    """A name as the parameter takes it: alone, in a list, or both."""
    annotation = str(SOURCES[source].model_fields[field].annotation)
    many = [[name]] if "tuple" in annotation else []
    return [*many, *([name] if not many or "|" in annotation else [])]


def test_every_field_that_names_columns_is_declared_as_one() -> None:
    """What a new parameter has to do to be tried below."""
    for name in GIVEN:
        for field, info in SOURCES[name].model_fields.items():
            names = (info.description or "").lower()
            if names.startswith(("a column", "columns ", "the column")):
                assert field in SOURCES[name].columns, f"{name}: {field}"
    assert {name for name, _ in NAMING} == set(GIVEN)


@pytest.mark.parametrize(("source", "field"), NAMING)
def test_an_absent_or_empty_name_is_answered_with_those_that_are_there(source: str, field: str, file: Path) -> None:
    for name in ("", "absent", " ", "x\n", "X"):
        for value in values(source, field, name):
            mistake = at(mistakes(source, file, **{field: value}), f"data.{field}")
            assert "expected" in str(mistake)


@pytest.mark.parametrize(("source", "field"), NAMING)
@pytest.mark.parametrize("value", [3, 1.5, True, [], [1], [["x"]], {"a": 1}, "x,y", [""]])
def test_a_value_of_another_type_is_a_sentence(source: str, field: str, value: Any, file: Path) -> None:
    found = mistakes(source, file, **{field: value})
    if value == [] and takes_many(source, field) and field != "target":
        return  # none is as good as leaving it out
    at(found, f"data.{field}")


@pytest.mark.parametrize(("source", "field"), [case for case in NAMING if takes_many(*case)])
def test_a_name_twice_is_refused(source: str, field: str, file: Path) -> None:
    mistake = at(mistakes(source, file, **{field: ["whole", "whole"]}), f"data.{field}")
    assert "'whole' is listed twice" in mistake.found


@pytest.mark.parametrize(
    ("source", "one", "other"),
    [
        (name, one, other)
        for name in ("table", "text", "huggingface")
        for one, other in itertools.combinations(("text", "target", "group"), 2)
        if {one, other} <= set(SOURCES[name].columns)
    ],
)
def test_one_column_for_two_things_is_refused(source: str, one: str, other: str, file: Path) -> None:
    found = mistakes(source, file, **{one: "y", other: "y"})
    assert any("'y' is " in mistake.found and "too" in mistake.found for mistake in found), found


@pytest.mark.parametrize(("source", "field"), NAMING)
@pytest.mark.parametrize("column", TYPES)
def test_a_column_of_any_type_is_taken_or_refused_in_a_sentence(
    source: str, field: str, column: str, file: Path
) -> None:
    for value in values(source, field, column):
        mistakes(source, file, **{field: value})
