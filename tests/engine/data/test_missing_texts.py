"""Texts that mean a missing value: matched character by character, and said by name, number and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from table_files import series, table, written

from engine.experiment import Refused, read
from engine.plan import check

HOUSES = [
    [("DE", "NA", "NC", "NE")[i % 4], ("Attchd", "None", "Detchd")[i % 3], str(i), ("no", "yes")[i % 2]]
    for i in (3, 1, 2, 0, *range(4, 40))
]
HEADER = ("country", "garage", "amount", "y")


def said(path: Path, **fields) -> str:
    with pytest.raises(Refused) as refused:
        table(path, **fields)
    return str(refused.value)


def test_what_was_read_as_missing_is_said_by_column_text_and_number(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HOUSES, HEADER)
    found = said(path, target="y")
    assert "(garage 13 ('None'), country 10 ('NA'))" in found
    assert "Set data.missing_values = [\"\"] if 'NA', 'None' are values." in found
    kept = table(path, target="y", missing_values=[""])
    columns = {column["column"]: column for column in kept.learned["encoders"]["columns"]}
    assert columns["garage"]["categories"] == ["Attchd", "Detchd", "None"]
    assert columns["country"]["categories"] == ["DE", "NA", "NC", "NE"]


@pytest.mark.parametrize("rule", ["mean", "mean+flag", "drop"])
def test_a_rule_says_it_too(rule: str, tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", [["", *row[1:]] if row[2] == "7" else row for row in HOUSES], HEADER)
    notes = " ".join(table(path, target="y", missing=rule).description.notes)
    assert "garage 13 ('None'), country 11 ('NA' 10, empty 1)" in notes
    assert "if 'NA', 'None' are values." in notes


def test_a_class_that_reads_as_missing_is_not_lost_in_silence(tmp_path: Path) -> None:
    rows = [[i * 7 % 40, ("None", "Mild", "Severe")[i % 3]] for i in range(40)]
    path = written(tmp_path / "t.csv", rows, ("amount", "y"))
    found = said(path, target="y")
    assert "14 of 40 rows have no y ('None'), the first of them in line 2 of" in found
    assert "Set data.missing_values = [\"\"] if 'None' is a value." in found
    notes = " ".join(table(path, target="y", missing="mean").description.notes)
    assert "14 rows without y ('None') are left out" in notes and "if 'None' is a value" in notes
    assert table(path, target="y", missing_values=[""]).description.classes == ("Mild", "None", "Severe")


@pytest.mark.parametrize("values", [("Na", "Cl", "Nan"), ("none", "mild", "Null"), ("nA", "N/a", "NAN")])
def test_texts_are_matched_letter_for_letter(values: tuple[str, ...], tmp_path: Path) -> None:
    rows = [[values[i % 3], i * 7 % 30, ("a", "b")[i % 2]] for i in range(30)]
    data = table(written(tmp_path / "t.csv", rows, ("word", "amount", "y")), target="y")
    assert set(data.learned["encoders"]["columns"][0]["categories"]) == set(values)
    as_target = table(tmp_path / "t.csv", target="word")
    assert set(as_target.description.classes) == set(values)


@pytest.mark.parametrize("text", ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?"])
def test_the_usual_spellings_are_missing(text: str, tmp_path: Path) -> None:
    rows = [[text if i == 5 else i * 7 % 30, ("a", "b")[i % 2]] for i in range(30)]
    found = said(written(tmp_path / "t.csv", rows, ("amount", "y")), target="y")
    assert f"amount 1{f' ({text!r})' if text else ''}), the first of them in line 7" in found


def test_one_text_in_many_rows_is_one_mistake(tmp_path: Path) -> None:
    rows = [["nil" if i % 3 == 0 else i * 7 % 90, ("a", "b")[i % 2]] for i in range(90)]
    with pytest.raises(Refused) as refused:
        table(written(tmp_path / "t.csv", rows, ("amount", "y")), target="y")
    (mistake,) = refused.value.mistakes
    assert "line 2, column 'amount': 'nil' is not a number (and in 29 more rows)" in str(mistake)
    assert "If 'nil' means a missing value, add it to data.missing_values." in mistake.fix
    filled = table(tmp_path / "t.csv", target="y", missing="mean", missing_values=["", "nil"])
    assert filled.learned["encoders"]["columns"][0]["kind"] == "number"


def test_a_series_says_it_too(tmp_path: Path) -> None:
    rows = [["None" if i == 4 else str(i % 9 / 7)] for i in range(80)]
    path = written(tmp_path / "s.csv", rows, ("sold",))
    with pytest.raises(
        Refused, match=r"\(sold 1 \('None'\)\).*Set data.missing_values = \[\"\"\] if 'None' is a value"
    ):
        series(path, target="sold", window=8)


def test_missing_values_too_many_texts_and_the_loss_are_said_at_once(tmp_path: Path) -> None:
    rows = [["" if i == 3 else i * 7 % 90, f"Town {i}", ("a", "b", "?")[i % 3]] for i in range(90)]
    written(tmp_path / "t.csv", rows, ("amount", "city", "y"))
    document = tmp_path / "a.toml"
    document.write_text(
        f'data = {{source = "table", path = "{tmp_path / "t.csv"}", target = "y", most_categories = 20}}\n'
        'loss = "MSELoss"\noptimizer = {lr = -1.0}\nmodel.layers = [{type = "Linear", out_features = "auto"}]\n'
    )
    found = " ".join(map(str, check(read(str(document))).mistakes))
    for one in (
        "30 of 90 rows have no y ('?')",
        "(amount 1)",
        "the column 'city' has 48 different texts",
        "MSELoss is for regression and forecasting",
        "optimizer.lr",
    ):
        assert one in found, found


@pytest.mark.parametrize("field", ["group", "exclude", "numeric", "categorical", "dates"])
def test_a_misspelt_name_is_said_beside_what_the_data_lacks(field: str, tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HOUSES, HEADER)
    found = said(path, target="y", **{field: "garge" if field == "group" else ["garge"]})
    assert f"data.{field}: 'garge' is not a column" in found and "Did you mean garage?" in found
    assert "(country 10 ('NA'))" in found and "'None'" not in found  # nothing is known of what garage is for


def test_a_misspelt_target_is_said_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HOUSES, HEADER)
    assert "country 10" not in said(path, target="yy", exclude=["garge"])
    assert "country 10" not in said(path, target="y", features=["contry"])
