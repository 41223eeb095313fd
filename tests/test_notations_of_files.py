"""Files in other notations through the command line: asked about, trained on, resumed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import warm_torchdeck

DOCUMENT = """\
name = "houses"
[data]
source = "table"
path = "houses.csv"
target = "price"
[model]
layers = [{type = "Linear", out_features = "auto"}]
[training]
epochs = 1
device = "cpu"
"""


def torchdeck(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TORCHDECK_RUNS": str(cwd / "runs"), "COLUMNS": "300"}
    return warm_torchdeck.run(*arguments, cwd=cwd, env=environment)


def house(tmp_path: Path, prices: Sequence[str]) -> None:
    rows = "".join(f"{50 + 3 * row};{price}\n" for row, price in enumerate(prices))
    (tmp_path / "houses.csv").write_text("area;price\n" + rows)
    (tmp_path / "houses.toml").write_text(DOCUMENT)


def test_two_readings_end_a_check_and_a_setting_mends_it(tmp_path: Path) -> None:
    house(tmp_path, [f"{98 + row % 30},500" for row in range(40)])
    done = torchdeck("check", "houses.toml", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "data.thousands" in line]
    assert "such as '98,500', can be read as 98.5 and as 98500" in line
    assert 'data.decimal = "," for 98.5' in line and 'data.thousands = "," for 98500' in line
    mended = torchdeck("check", "houses.toml", "--set", 'data.thousands=","', cwd=tmp_path)
    assert mended.returncode == 0, mended.stderr
    fixed = torchdeck("check", "--fix", "houses.toml", cwd=tmp_path)
    assert fixed.returncode == 2 and (tmp_path / "houses.toml").read_text() == DOCUMENT


def test_a_run_on_prices_of_a_catalogue_resumes(tmp_path: Path) -> None:
    prices = [f"{900 + 61.5 * row:,.2f} €".translate(str.maketrans(",.", ".,")) for row in range(40)]
    house(tmp_path, prices)
    first = torchdeck("train", "houses.toml", "--headless", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (run,) = (tmp_path / "runs").iterdir()
    learned = json.loads((run / "data.json").read_text())
    assert learned["encoders"]["target"]["notation"] == {
        "grouping": ".",
        "decimal": ",",
        "currency": "€",
    }
    assert 900 < learned["units"]["offset"][0] < 900 + 61.5 * 40
    again = torchdeck("resume", str(run), "--headless", "--set", "training.epochs=2", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads((run / "data.json").read_text()) == learned
