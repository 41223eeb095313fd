"""The settings file: every field is read, every mistake is a sentence, and the command says where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from screen_text import assert_golden, screen_text
from test_app import on_home, play, train
from test_home_screen import settle
from textual.pilot import Pilot
from typer.testing import CliRunner

from engine.protocol.events import Reason
from tui.cli import app
from tui.cli.options import runs_folder
from tui.deck.app import Deck
from tui.preferences.settings import Settings, read_settings, settings_file
from tui.printing.settings import file_to_edit


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person's settings are; the file is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("TORCHDECK_RUNS", "NO_COLOR", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    assert settings_file() == tmp_path / "config" / "torchdeck" / "settings.toml"
    return settings_file()


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_without_a_file_every_setting_has_its_default_and_no_file_is_created(file: Path) -> None:
    assert read_settings() == (Settings(), [])
    assert CliRunner().invoke(app, ["settings"]).exit_code == 0
    assert not file.parent.exists()


def test_every_field_has_help_and_a_default() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert Settings().animation is False


def test_every_setting_of_a_file_is_read(file: Path) -> None:
    write(
        file,
        'theme = "light"\nanimation = true\nrefresh_rate = 2\nruns_dir = "~/r"\n'
        '[keymap]\ndesign.add = "i"\n"train.stop" = "f8"\n',
    )
    keymap = {"design.add": "i", "train.stop": "f8"}
    expected = Settings(theme="light", animation=True, refresh_rate=2, runs_dir="~/r", keymap=keymap)
    assert read_settings() == (expected, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'theme = "drak"',
            'theme is "drak"; expected "auto", "dark", "light", "terminal" or "none". '
            'Until it is corrected, theme has its default, "auto".',
        ),
        (
            "refresh_rate = 100",
            "refresh_rate is 100; expected a number from 0.1 to 30. "
            "Until it is corrected, refresh_rate has its default, 4.0.",
        ),
        (
            "animation = 1",
            "animation is 1; expected true or false. Until it is corrected, animation has its default, false.",
        ),
        ("animations = true", "animations is not a setting; expected one of theme, animation, "),
        ("[keymap]\ndesign.add = 3", 'keymap.design.add is 3; expected a key in quotes, such as "i".'),
        ("keymap = 3", "keymap is 3; expected a table of keys"),
        ("theme = ", "is not valid TOML: "),
    ],
)
def test_a_mistake_is_a_sentence_and_other_settings_apply(file: Path, text: str, sentence: str) -> None:
    write(file, f"runs_dir = 'here'\n{text}\n")
    settings, wrong = read_settings()
    (said,) = map(str, wrong)
    assert said.startswith((f"{file}: {sentence}", f"{file} {sentence}"))
    assert settings == (Settings() if "TOML" in sentence else Settings(runs_dir="here"))


def test_the_command_line_overrides_the_environment_which_overrides_the_settings(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs_folder(None) == tmp_path / "runs"
    write(file, 'runs_dir = "set"')
    assert runs_folder(None) == tmp_path / "set"
    monkeypatch.setenv("TORCHDECK_RUNS", "environment")
    assert runs_folder(None) == tmp_path / "environment"
    assert runs_folder("option") == tmp_path / "option"


def test_the_command_shows_where_each_value_is_from(file: Path) -> None:
    write(file, 'refresh_rate = 1.5\n[keymap]\ndesign.add = "i"\n')
    result = CliRunner().invoke(app, ["settings"])
    assert result.exit_code == 0
    assert_golden("settings", result.stdout.replace(str(file), "~/.config/torchdeck/settings.toml"))
    shown = json.loads(CliRunner().invoke(app, ["settings", "--json"]).stdout)
    assert shown["settings"]["refresh_rate"] == {
        "value": 1.5,
        "default": 4.0,
        "from": "settings",
        "help": Settings.model_fields["refresh_rate"].description,
    }
    assert shown["settings"]["theme"]["from"] == "default" and shown["exists"] and not shown["mistakes"]


def test_the_command_exits_with_2_and_reports_every_mistake(file: Path) -> None:
    write(file, 'theme = "drak"\n[keymap]\ndesign.add = "x"\ndesign.ad = "i"\n')
    result = CliRunner().invoke(app, ["settings"])
    assert result.exit_code == 2
    said = result.stderr.splitlines()
    assert [line.partition(" is ")[0].partition(" names ")[0] for line in said] == [
        f"{file}: theme",
        f"{file}: keymap.design.ad",
        f"{file}: keymap.design.add",
    ]


def test_edit_starts_with_every_default_as_a_comment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write('#edited')\"")
    done = CliRunner().invoke(app, ["settings", "--edit"])
    assert done.exit_code == 0, done.output
    text = file.read_text(encoding="utf-8")
    assert text == file_to_edit() + "#edited"
    assert read_settings() == (Settings(), [])
    monkeypatch.setenv("EDITOR", "no-such-editor")
    done = CliRunner().invoke(app, ["settings", "--edit"])
    assert done.exit_code == 2 and "no-such-editor cannot be started" in done.stderr


def test_the_file_that_edit_writes_is_valid_without_comment_signs(file: Path) -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in file_to_edit().splitlines()]
    kept = [line for line in lines if not line.startswith("Your own keys")]
    write(file, "\n".join(kept))
    settings, wrong = read_settings()
    assert wrong == [] and settings.runs_dir == "runs" and settings.keymap["deck.help"] == "question_mark"
    assert CliRunner().invoke(app, ["settings"]).exit_code == 0


def test_the_deck_reports_wrong_settings_and_opens(tmp_path: Path) -> None:
    settings = Settings(keymap={"design.add": "x"})

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        text = " ".join(screen_text(deck).split())
        assert "theme is wrong" in text and "Choose another key" in text

    play(Deck(tmp_path, producer=FakeProducer(), settings=settings, wrong=["theme is wrong"]), act, (120, 36))


def test_plots_are_drawn_no_more_often_than_the_setting(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        assert deck.screen._frame_s == pytest.approx(1.8)
        await settle(pilot, lambda: "digits-cnn" in screen_text(deck))
        producer.started[0].end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer, settings=Settings(refresh_rate=0.5)), act)


def test_the_settings_load_no_torch_and_help_loads_no_settings() -> None:
    code = "import sys, tui.cli; assert 'tui.preferences.settings' not in sys.modules; import tui.printing.settings; "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
