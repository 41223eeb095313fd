"""Numbers in other notations: read as what they are, by the whole column, or refused with both readings."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_files import series, table, written

from engine.data import Dataset
from engine.data.tables.finding_notation import Found, Marks, find
from engine.data.tables.notation import Notation
from engine.experiment import Refused

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 60


def data_of(values: Sequence[str], tmp_path: Path, name: str = "a.csv", **fields: Any) -> Dataset:
    """A table with a column `p` of these values, and one to predict from it."""
    rows = [[value, "ab"[row % 2]] for row, value in enumerate(values)]
    return table(written(tmp_path / name, rows, ("p", "y")), **{"target": "y", **fields})


def read(data: Dataset, column: str = "p") -> list[float]:
    """The numbers of a column that was standardised."""
    (learned,) = (c for c in data.learned["encoders"]["columns"] if c["column"] == column)
    at = data.description.features.index(column)
    return (data.x[:, at].double() * learned["std"] + learned["mean"]).tolist()


def refused(values: Sequence[str], tmp_path: Path, **fields: Any) -> str:
    with pytest.raises(Refused) as said:
        data_of(values, tmp_path, **fields)
    return str(said.value)


READ: list[tuple[str, list[str], list[float], str]] = [
    ("decimal commas", ["1,5", "2,25", "3", "4,125"], [1.5, 2.25, 3, 4.125], "p: 1,5 read as 1.5"),
    ("commas between thousands", ["1,234", "12", "1,234,567"], [1234, 12, 1234567], "p: 1,234 read as 1234"),
    ("both", ["1,234.50", "0.99", "12,000"], [1234.5, 0.99, 12000], "p: 1,234.50 read as 1234.5"),
    ("a catalogue from Germany", ["1.299,99", "5,49", "12.000,00"], [1299.99, 5.49, 12000], "1.299,99 read as 1299.99"),
    ("points between thousands", ["1.234.567", "1.200", "980"], [1234567, 1200, 980], "p: 1.234.567 read as 1234567"),
    ("blanks", ["1 234", "12", "1 234 567,5"], [1234, 12, 1234567.5], "1 234 567,5 read as 1234567.5"),
    ("blanks that do not break", ["1\u202f234", "1\u00a0234", "7"], [1234, 1234, 7], "read as 1234"),
    ("apostrophes", ["1'234", "12’345.5", "9"], [1234, 12345.5, 9], "12’345.5 read as 12345.5"),
    ("underscores", ["1_000", "20_000", "3"], [1000, 20000, 3], "p: 1_000 read as 1000"),
    ("as in India", ["12,34,567", "1,000", "50"], [1234567, 1000, 50], "12,34,567 read as 1234567"),
    ("percent", ["5%", "10 %", "-2.5%"], [5, 10, -2.5], "p: -2.5% read as -2.5"),
    ("dollars", ["$1,050.00", "$9.99", "-$3"], [1050, 9.99, -3], "p: $1,050.00 read as 1050"),
    ("euros behind", ["1000,00 €", "1,50 €", "2 €"], [1000, 1.5, 2], "p: 1000,00 € read as 1000"),
    ("a code", ["USD 12.50", "USD 7", "USD 1,000.25"], [12.5, 7, 1000.25], "USD 1,000.25 read as 1000.25"),
    ("a minus sign", ["−1.5", "2", "–3"], [-1.5, 2, -3], "p: −1.5 read as -1.5"),
    ("an account", ["(1,234.50)", "99.5", "(3)"], [-1234.5, 99.5, -3], "(1,234.50) read as -1234.5"),
    ("a minus behind", ["1.5-", "2", "30.25-"], [-1.5, 2, -30.25], "p: 1.5- read as -1.5"),
    ("a currency with a point", ["Rs. 1,500", "Rs. 12,50,000", "Rs.75"], [1500, 1250000, 75], "Rs. 1,500 read as 1500"),
    ("kroner", ["1.500,25 kr.", "99,50 kr.", "75 kr."], [1500.25, 99.5, 75], "1.500,25 kr. read as 1500.25"),
    ("whole kroner", ["1500 kr.", "99 kr.", "75 kr."], [1500, 99, 75], "1500 kr. read as 1500"),
    ("digits of another script", ["１２３", "４.５", "٣"], [123, 4.5, 3], "p: ４.５ read as 4.5"),
    ("exponents", ["1,5e3", "2E-2", "1e+02"], [1500, 0.02, 100], "p: 1,5e3 read as 1500"),
    ("three decimals from 0 on", ["0,125", "1,250", "3,500"], [0.125, 1.25, 3.5], "p: 0,125 read as 0.125"),
]


@pytest.mark.parametrize(("values", "expected", "note"), [c[1:] for c in READ], ids=[c[0] for c in READ])
def test_a_notation_that_explains_the_column_is_taken_and_said(
    values: list[str], expected: list[float], note: str, tmp_path: Path
) -> None:
    data = data_of(values * 8, tmp_path)
    assert read(data) == pytest.approx(expected * 8, abs=1e-5 * max(map(abs, expected)))
    assert any(note in said for said in data.description.notes), data.description.notes


def test_what_programs_write_is_read_without_a_word(tmp_path: Path) -> None:
    for values in (["1.5", "2", "-3e2"], ["1.125", "2.25", "3"], ["1", "20", "1234"], ["0.123", "1.500", "2.250"]):
        data = data_of(values * 8, tmp_path)
        assert read(data) == pytest.approx([float(value) for value in values] * 8, rel=1e-5, abs=1e-4)
        assert not any("Notation" in note for note in data.description.notes)
        assert "notation" not in data.learned["encoders"]["columns"][0]


AMBIGUOUS: list[tuple[str, list[str], str, list[tuple[dict[str, str], float]]]] = [
    (
        "thousands or three decimals",
        ["98,500", "120,000", "131,250", "61,000"],
        r"'98,500', can be read as 98.5 and as 98500",
        [({"decimal": ","}, 98.5), ({"thousands": ","}, 98500), ({"decimal": "."}, 98500)],
    ),
    (
        "few of them with a comma",
        ["1,270", "310", "89", "455"],
        r"'1,270', can be read as 1.27 and as 1270",
        [({"decimal": ","}, 1.27), ({"thousands": ","}, 1270)],
    ),
    (
        "points",
        ["1.299", "850", "2.450", "99"],
        r"'1.299', can be read as 1.299 and as 1299",
        [({"decimal": "."}, 1.299), ({"thousands": "."}, 1299), ({"decimal": ","}, 1299)],
    ),
    (
        "with a currency",
        ["$1,500", "$2,750", "$980", "$1,020"],
        r"'\$1,500', can be read as 1.5 and as 1500",
        [({"decimal": ","}, 1.5), ({"decimal": "."}, 1500)],
    ),
]


@pytest.mark.parametrize(("values", "said", "settled"), [c[1:] for c in AMBIGUOUS], ids=[c[0] for c in AMBIGUOUS])
def test_two_readings_are_both_said_and_a_setting_decides(
    values: list[str], said: str, settled: list[tuple[dict[str, str], float]], tmp_path: Path
) -> None:
    message = refused(values * 8, tmp_path)
    assert said.replace("\\", "") in message and "data.thousands = " in message and "data.decimal = " in message
    assert "have no" not in message and "exclude" not in message
    for fields, first in settled:
        assert read(data_of(values * 8, tmp_path, **fields))[0] == pytest.approx(first, rel=1e-5)


def test_columns_that_can_be_read_in_the_same_ways_are_one_mistake(tmp_path: Path) -> None:
    rows = [[*[f"{row + 1},250"] * 12, f"{row + 150} cm", "ab"[row % 2]] for row in range(24)]
    file = written(tmp_path / "a.csv", rows, (*(f"p{number}" for number in range(12)), "height", "y"))
    with pytest.raises(Refused) as refused:
        table(file, target="y")
    ambiguous, unit = refused.value.mistakes
    assert "'p0', such as '1,250'" in ambiguous.found and "likewise p1, p2" in ambiguous.found
    assert "and 3 more" in ambiguous.found and "'height'" in unit.found


def test_the_advice_is_for_the_target_too(tmp_path: Path) -> None:
    rows = [[str(row), price] for row, price in enumerate(["98,500", "120,000", "131,250", "61,000"] * 8)]
    file = written(tmp_path / "a.csv", rows, ("area", "price"))
    with pytest.raises(Refused, match=r"'98,500', can be read as 98\.5 and as 98500"):
        table(file, target="price")
    data = table(file, target="price", thousands=",")
    assert data.units is not None and data.units.of(data.y)[0].item() == pytest.approx(98500)
    assert data.description.task == "regression"
    assert data.learned["encoders"]["target"] == {"column": "price", "notation": {"grouping": ","}}
    assert any("price: 98,500 read as 98500" in note for note in data.description.notes)


def test_a_decimal_comma_that_reads_thousands_away_is_said(tmp_path: Path) -> None:
    notes = data_of(["1,270", "310", "89"] * 8, tmp_path, decimal=",").description.notes
    assert any('p: 1,270 read as 1.27 (data.thousands = "," reads 1270)' in note for note in notes)


def test_three_decimals_are_decimals_unless_the_file_has_decimal_commas(tmp_path: Path) -> None:
    values = ["12.345", "1.250", "100.125"] * 8
    data = data_of(values, tmp_path)
    assert read(data)[:3] == pytest.approx([12.345, 1.25, 100.125], rel=1e-5)
    assert any('12.345 read as 12.345 (data.thousands = "." reads 12345)' in note for note in data.description.notes)
    rows = [[value, f"{row},5", "ab"[row % 2]] for row, value in enumerate(values)]
    file = written(tmp_path / "b.csv", rows, ("p", "q", "y"), delimiter=";")
    with pytest.raises(Refused, match=r"'p', such as '12\.345', can be read as 12\.345 and as 12345"):
        table(file, target="y")
    assert read(table(file, target="y", decimal=","))[:2] == pytest.approx([12345, 1250], rel=1e-5)


def test_numbers_of_json_have_one_notation(tmp_path: Path) -> None:
    objects = [{"p": (1.299, 850, 2.45)[row % 3], "y": "ab"[row % 2]} for row in range(24)]
    objects[2]["p"] = 2.125
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({**o, "p": o["p"]}) for o in objects if o["p"] != 2.45))
    data = table(tmp_path / "a.jsonl", target="y")
    assert read(data)[0] == pytest.approx(1.299, rel=1e-5)
    assert not any("Notation" in note for note in data.description.notes)


FAULTS: list[tuple[str, list[str], str, str]] = [
    ("a word", ["1,234.5", "2,000.25"], "many", "'many' is not a number"),
    ("another notation", ["1,234.5", "2,000.25"], "3,5", "'3,5' is not a number"),
    ("no currency", ["$5.25", "$1,000.00"], "7.5", "'7.5' is not a number"),
    ("no percent sign", ["5%", "7.5%"], "0.5", "'0.5' is not a number"),
    ("another currency", ["€5,25", "€7,50"], "$6.25", "'$6.25' is not a number"),
    ("a decimal comma", ["40.123", "39.250"], "3,5", "'3,5' has a decimal comma"),
    ("a price without cents", ["19,95", "5,25"], "19,-", "'19,-' is not a number"),
]


@pytest.mark.parametrize(("values", "odd", "said"), [c[1:] for c in FAULTS], ids=[c[0] for c in FAULTS])
def test_a_value_that_the_notation_does_not_explain_is_a_fault_of_its_row(
    values: list[str], odd: str, said: str, tmp_path: Path
) -> None:
    rows = values * 12
    rows[7] = odd
    assert f"line 9, column 'p': {said}" in refused(rows, tmp_path)


def test_units_are_refused_with_both_ways(tmp_path: Path) -> None:
    values = ["150 cm", "160cm", "172,5 cm"] * 8
    message = refused(values, tmp_path)
    assert "numbers followed by 'cm'" in message
    assert 'Set data.units = "strip" to read 150' in message or 'Set data.units = "strip" to read 172.5' in message
    assert "data.categorical = ['p']" in message
    assert read(data_of(values, tmp_path, units="strip"))[:3] == pytest.approx([150, 160, 172.5], rel=1e-5)
    assert data_of(values, tmp_path, categorical=["p"]).description.features[0] == "p=150 cm"


@pytest.mark.parametrize(
    "values",
    [["36 months", "60 months"], ["1 room", "2 rooms"], ["20 °C", "21.5 °C"], ["12 m²", "9 m²"], ["4WD", "2WD"]],
)
def test_a_number_with_something_around_it_is_no_category(values: list[str], tmp_path: Path) -> None:
    assert 'data.units = "strip"' in refused(values * 8, tmp_path)
    numbers = [float("".join(c for c in value if c in "0123456789.")) for value in values]
    assert read(data_of(values * 8, tmp_path, units="strip"))[:2] == pytest.approx(numbers, rel=1e-5)


@pytest.mark.parametrize(
    "values", [["16 GB", "1 TB", "512 GB", "2 TB"], ["1.5M", "800k", "2.25M", "10k"], ["$5", "€5", "$7", "€9"]]
)
def test_several_units_are_refused(values: list[str], tmp_path: Path) -> None:
    message = refused(values * 8, tmp_path, units="strip")
    assert "several units" in message and "data.categorical" in message


@pytest.mark.parametrize(
    "values",
    [
        ["1a", "1b", "2a"],
        ["1A", "1B", "2B", "2C"],
        ["Q1", "Q2", "Q3"],
        ["18-25", "26-40", "65+"],
        ["12:30", "13:45"],
        ["1.2.3", "1.2.4"],
        ["A4", "B5"],
        ["S", "M", "42"],
        ["1st", "2nd", "3rd"],
        ["10 AM", "11 PM"],
    ],
)
def test_what_is_no_number_stays_a_category(values: list[str], tmp_path: Path) -> None:
    features = data_of(values * 8, tmp_path).description.features
    assert features == tuple(f"p={value}" for value in features and sorted(values, key=features_order(features)))


def features_order(features: Sequence[str]) -> Any:
    return lambda value: features.index(f"p={value}")


def test_a_target_with_a_unit_is_asked_about(tmp_path: Path) -> None:
    rows = [[str(row), ("36 months", "60 months")[row % 2]] for row in range(24)]
    file = written(tmp_path / "a.csv", rows, ("x", "term"))
    with pytest.raises(Refused, match=r'data\.units = "strip" .* data\.task = "classification"'):
        table(file, target="term")
    assert table(file, target="term", task="classification").description.classes == ("36 months", "60 months")
    assert table(file, target="term", units="strip").description.task == "regression"


def test_settings_that_exclude_each_other_are_said(tmp_path: Path) -> None:
    message = refused(["1,5"] * 8, tmp_path, decimal=",", thousands=",")
    assert "data.thousands: ',' is data.decimal too" in message


def test_a_series_of_decimal_commas_just_works(tmp_path: Path) -> None:
    rows = [[f"2024-01-{day + 1:02d}", f"{day % 7},{day % 4}5"] for day in range(30)]
    data = series(written(tmp_path / "a.csv", rows, ("t", "y"), delimiter=";"), target="y", time="t", window=3)
    kept = data.learned["encoders"]["columns"][0]
    assert kept["notation"] == {"decimal": ","}
    assert kept["mean"] == pytest.approx(np.mean([float(row[1].replace(",", ".")) for row in rows[:24]]))
    with pytest.raises(Refused, match=r"'1,250', can be read as 1\.25 and as 1250"):
        series(
            written(tmp_path / "b.csv", [[row[0], f"{day % 7 + 1},250"] for day, row in enumerate(rows)], ("t", "y")),
            target="y",
        )


def test_what_was_learned_reads_other_files_alike(tmp_path: Path) -> None:
    kept = data_of(["1.299,99 €", "5,49 €"] * 8, tmp_path).learned["encoders"]["columns"][0]["notation"]
    again = Notation.from_dict(json.loads(json.dumps(kept)))
    assert again.numbers(pl.Series(["7,25 €", "1.000 €", "7.25 €", "7,25"])).tolist()[:2] == [7.25, 1000]
    assert np.isnan(again.numbers(pl.Series(["7.25 €", "7,25"]))).all()


GROUPINGS = {",": ",", ".": ".", " ": " ", "\u202f": "\u202f", "'": "'", "_": "_", "": ""}
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
surroundings = st.sampled_from(["{}", "{}%", "{} %", "${}", "{} €", "EUR {}", "CHF {}", "{} kg", "{}km/h"])


def printed(value: float, grouping: str, decimal: str, minus: str, around: str, decimals: int | None) -> str:
    """A number in a notation: as short as it can be without loss, or to so many decimals."""
    text = f"{abs(value):,.{decimals}f}" if decimals is not None else _shortest(abs(value))
    text = text.replace(",", "\0").replace(".", decimal).replace("\0", grouping)
    sign = minus if np.signbit(value) else ""
    return f"({around.format(text)})" if sign == "()" else sign + around.format(text)


def _shortest(value: float) -> str:
    text = np.format_float_positional(value, trim="-")
    whole, _, rest = text.partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    values=st.lists(finite, min_size=1, max_size=8),
    grouping=st.sampled_from(sorted(GROUPINGS)),
    decimal=st.sampled_from([".", ","]),
    minus=st.sampled_from(["-", "−", "–", "()"]),
    around=surroundings,
    decimals=st.sampled_from([None, 0, 2, 3]),
)
def test_any_number_in_any_notation_reads_back_or_is_refused(
    values: list[float], grouping: str, decimal: str, minus: str, around: str, decimals: int | None
) -> None:
    if grouping == decimal:
        grouping = ""
    texts = pl.Series([printed(value, grouping, decimal, minus, around, decimals) for value in values])
    # What is printed to some decimals is that number; Python rounds as it should be rounded.
    exact = [v if decimals is None else float(f"{v:.{decimals}f}") for v in values]
    for marks in (
        Marks(strip_units=True),
        Marks(decimal=decimal, strip_units=True),
        Marks(decimal=decimal, thousands=GROUPINGS[grouping].replace("\u202f", " ") or "none", strip_units=True),
    ):
        found = find("p", texts, marks, typed=False, otherwise="")
        assert found is not None, texts.to_list()
        if found.mistake is None and not found.doubt:
            assert found.notation.numbers(texts).tolist() == exact, (texts.to_list(), found)
        else:
            assert marks.thousands == "auto", (texts.to_list(), found)


@settings(max_examples=EXAMPLES, deadline=None)
@given(values=st.lists(st.text("0123456789.,'- €%$kg()eE", max_size=9), min_size=1, max_size=6))
def test_whatever_stands_in_a_column_is_read_as_python_reads_it_or_with_a_note(values: list[str]) -> None:
    texts = pl.Series([value.strip() for value in values])
    found = find("p", texts, Marks(), typed=False, otherwise="")
    assert found is None or isinstance(found, Found)
    if found is None or found.mistake is not None:
        return
    numbers = found.notation.numbers(texts)
    for text, number in zip(texts.to_list(), numbers.tolist(), strict=True):
        try:
            expected = float(text)
        except ValueError:
            continue
        assert np.isnan(number) or number == expected or found.note


def test_of_a_large_column_only_a_sample_is_looked_at_value_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.data.tables import finding_notation

    looked: list[str] = []
    affixes_of = finding_notation.affixes_of

    def counted(text: str) -> object:
        looked.append(text)
        return affixes_of(text)

    monkeypatch.setattr(finding_notation, "affixes_of", counted)
    texts = pl.Series([f"{row:,}.25 €" for row in range(20_000)])
    found = find("p", texts, Marks(), typed=False, otherwise="")
    assert found is not None and found.notation == Notation(",", ".", "€")
    assert len(looked) <= 400
