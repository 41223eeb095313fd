"""`torchdeck data`: in colours on a terminal that has them, and without control sequences from the data."""

from __future__ import annotations

import io
import json
import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from made_previews import images
from typer.testing import CliRunner

from engine.experiment import Refused, load
from tui.cli import app
from tui.printing.data import data_as_dict, data_draft, print_data


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, file: io.StringIO, classes: tuple[str, ...], **environ: str) -> str:
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    print_data(images(3, 8, 16, classes), load("digits-cnn"), file)
    return file.getvalue()


def test_a_terminal_with_colours_shows_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, Terminal(), ("left", "right"), TERM="xterm-256color", COLORTERM="truecolor")
    assert "▀" in text and "\x1b[38;2;" in text
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).split("\n")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("environ", [{"TERM": "xterm-256color", "NO_COLOR": "1"}, {"TERM": "xterm"}])
def test_a_terminal_with_few_colours_shows_shades(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    text = printed(monkeypatch, Terminal(), ("left", "right"), **environ)
    assert "▀" not in text and "▓" in text and "38;2" not in text


def test_names_of_classes_send_no_control_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(
        monkeypatch, Terminal(), ("\x1b]0;owned\x07", "[bold]b"), TERM="xterm-256color", COLORTERM="truecolor"
    )
    assert "\x1b]0" not in text and "␛]0;owned" in text and "[bold]b" in text


def test_the_argument_is_a_source_or_an_experiment() -> None:
    by_source = data_draft("mackey-glass", ["data.window=16"]).experiment
    assert by_source is not None and by_source.data.parameters == {"window": 16}
    assert data_draft("digits-cnn", []).experiment == load("digits-cnn")
    assert data_draft("nothing", []).experiment is None


def test_json_has_counts_shapes_samples_and_figures() -> None:
    data = data_as_dict(images(3, 2, 4))
    assert data["counts"] == {"train": {"left": 3, "right": 1}, "val": {"left": 1, "right": 3}}
    assert data["data"]["input_shape"] == (3, 2, 4)
    assert set(data["samples"][0]) == {"index", "label", "image"}
    assert (data["inputs"]["minimum"], data["inputs"]["maximum"]) == (0.0, 1.0)
    assert data["inputs"]["std"] == pytest.approx(statistics.pstdev([i / 3 for i in range(4)]))


def test_the_command_prints_json_or_a_mistake_with_a_fix() -> None:
    data = json.loads(CliRunner().invoke(app, ["data", "digits-cnn", "--set", "data.validation=0.5", "--json"]).stdout)
    assert (data["data"]["train_samples"], sum(data["counts"]["val"].values())) == (898, 899)
    assert len(data["samples"]) == 12 and len(data["samples"][0]["image"]) == 8
    assert data["inputs"]["minimum"] == 0 and data["inputs"]["maximum"] == 1
    refused = CliRunner().invoke(app, ["data", "digits", "--set", "data.as_row=true"])
    assert isinstance(refused.exception, Refused) and "Did you mean as_rows?" in str(refused.exception)


def shown(source: str, *changes: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    result = CliRunner().invoke(app, ["data", source, *(part for change in changes for part in ("--set", change))])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_series_is_shown_as_several_of_its_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{row % 7},{row % 5}\n" for row in range(200))
    (tmp_path / "a.csv").write_text(f"sold,heat\n{rows}")
    changes = ["data.path=" + str(tmp_path / "a.csv"), "data.target=sold", 'data.features=["heat"]']
    text = shown("series", *changes, monkeypatch=monkeypatch)
    assert "window 0 " in text and "window 135" in text and text.count("◆") == 4 + 1
    assert "windows of 24 steps, then 1 to forecast ◆; sold solid, heat dashed" in text


def test_the_features_of_a_table_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{row * 7 % 40},{'ab'[row % 2]},{'cd'[row // 2 % 2]}\n" for row in range(40))
    (tmp_path / "a.csv").write_text(f"age,town,kind\n{rows}")
    changes = ["data.path=" + str(tmp_path / "a.csv"), "data.target=kind"]
    text = shown("table", *changes, monkeypatch=monkeypatch)
    assert re.findall(r"^ *(age|town=[ab])  ", text, re.MULTILINE) == ["age", "town=a", "town=b"]


def test_a_table_is_shown_for_the_name_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_text("age,kind\n" + "".join(f"{row},{'cd'[row % 2]}\n" for row in range(40)))
    assert "table: vector, classification" in shown(str(file), "data.target=kind", monkeypatch=monkeypatch)
    with pytest.raises(Refused, match=r"data\.target .* expected one of the columns age, kind"):
        CliRunner().invoke(app, ["data", str(file)], catch_exceptions=False)


def test_arrays_are_shown_for_the_name_of_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, x=np.zeros((40, 3), np.float32), y=np.arange(40) % 2)
    assert "arrays: vector, classification" in shown(str(file), monkeypatch=monkeypatch)
