"""The person's settings for every deck: declared once, stored in one TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import config_folder


class Settings(BaseModel):
    """The settings. A field's description is its help; its default applies if the file does not set it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    theme: Literal["auto", "dark", "light", "terminal", "none"] = Field(
        default="auto",
        description="The colours: dark, light, terminal (its own 16 colours) or none. "
        "auto uses the theme chosen last in the palette, or else one that suits the terminal.",
    )
    animation: bool = Field(
        default=False, description="Animate changes of the screen. Leave it off over a slow connection."
    )
    refresh_rate: float = Field(
        default=4.0,
        ge=0.1,
        le=30,
        description="The most often that plots are drawn, per second. Drawing never uses more than 2 % of a core.",
    )
    runs_dir: str | None = Field(
        default=None,
        min_length=1,
        description="The folder of runs, unless --runs-dir or TORCHDECK_RUNS is given. Default: ./runs.",
    )
    interrupt_signals: list[Literal["SIGUSR1", "SIGUSR2", "SIGXCPU"]] = Field(
        default=["SIGUSR1"],
        description="Signals that stop a run with a checkpoint, besides SIGINT and SIGTERM; for `sbatch --signal`.",
    )
    keymap: Mapping[str, str] = Field(
        default_factory=dict, description='Your own keys, by action: design.add = "i". "i,f7" sets two keys.'
    )


@dataclass(frozen=True, slots=True)
class SettingsMistake:
    """A mistake in the settings file."""

    file: Path
    key: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else f"{self.file}"
        return f"{place} {self.found}{'; expected ' if self.expected else ''}{self.expected}. {self.fix}"


def settings_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return $XDG_CONFIG_HOME/torchdeck/settings.toml or ~/.config/torchdeck/settings.toml, existing or not.

    None if there is no home folder.
    """
    folder = config_folder(environ)
    return None if folder is None else folder / "settings.toml"


def read_settings(file: Path | None = None) -> tuple[Settings, list[SettingsMistake]]:
    """Read a settings file, by default the person's; returns the settings and every mistake in the file.

    A field with a mistake has its default.
    """
    file = file or settings_file()
    if file is None:
        return Settings(), []
    try:
        given = tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return Settings(), []
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        return Settings(), [SettingsMistake(file, "", found, "", "Every setting has its default.")]
    except ValueError as error:
        fix = "Correct that line. Until then every setting has its default."
        return Settings(), [SettingsMistake(file, "", f"is not valid TOML: {str(error).rstrip('.')}", "", fix)]
    if isinstance(given.get("keymap"), dict):
        given["keymap"] = _flat(given["keymap"])
    return _settings_of(given, file)


def _settings_of(given: dict[str, Any], file: Path) -> tuple[Settings, list[SettingsMistake]]:
    """Remove and report what is wrong until the rest is valid."""
    wrong: list[SettingsMistake] = []
    while True:
        try:
            return Settings(**given), wrong
        except ValidationError as error:
            for one in error.errors():
                name, *inner = (str(part) for part in one["loc"])
                if inner and isinstance(keymap := given.get(name), dict):
                    found = f"is {toml_value(keymap.pop(inner[0]))}"
                    wrong.append(
                        SettingsMistake(file, f"{name}.{inner[0]}", found, 'a key in quotes, such as "i"', _OWN_KEYS)
                    )
                elif name not in Settings.model_fields:
                    given.pop(name)
                    wrong.append(_unknown(file, name))
                elif name in given:  # a list may have several mistakes
                    wrong.append(
                        SettingsMistake(file, name, f"is {toml_value(given.pop(name))}", _EXPECTED[name], _fix(name))
                    )


_OWN_KEYS = "Until it is corrected, the action has its default keys."
_EXPECTED = {
    "theme": '"auto", "dark", "light", "terminal" or "none"',
    "animation": "true or false",
    "refresh_rate": "a number from 0.1 to 30",
    "runs_dir": 'a folder in quotes, such as "~/runs"',
    "interrupt_signals": 'a list of "SIGUSR1", "SIGUSR2" and "SIGXCPU"',
    "keymap": 'a table of keys: [keymap] and then design.add = "i"',
}


def _fix(name: str) -> str:
    return f"Until it is corrected, {name} has its default, {toml_value(getattr(Settings(), name))}."


def _unknown(file: Path, name: str) -> SettingsMistake:
    from difflib import get_close_matches

    near = get_close_matches(name, Settings.model_fields, n=1)
    fix = f"Did you mean {near[0]}?" if near else "Remove it."
    return SettingsMistake(file, name, "is not a setting", f"one of {', '.join(Settings.model_fields)}", fix)


def _flat(keymap: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Join the names of nested tables: TOML reads `design.add = "i"` as a table in a table."""
    flat: dict[str, Any] = {}
    for name, value in keymap.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def toml_value(value: object) -> str:
    """Return a value as it is written in the file; for the folder of runs without a value, its default."""
    if value is None:
        return "./runs"
    return json.dumps(value, ensure_ascii=False, default=str)
