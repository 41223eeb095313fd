"""What a person can set once for every deck: one declaration, one TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.user_folders import config_folder


class Settings(BaseModel):
    """The settings. A field's description is its help; its default is what a deck without a file has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    theme: Literal["auto", "dark", "light", "terminal", "none"] = Field(
        default="auto",
        description="The colours: dark, light, terminal (its own sixteen), none; auto suits the terminal, and is what "
        "the palette chose last.",
    )
    animation: bool = Field(
        default=False, description="Whether things slide and fade. Over a slow line they had better not."
    )
    refresh_rate: float = Field(
        default=4.0,
        ge=0.1,
        le=30,
        description="How often a second plots are drawn at most; never more than 2 % of a core.",
    )
    runs_dir: str | None = Field(
        default=None,
        min_length=1,
        description="Where runs lie, unless --runs-dir or TORCHDECK_RUNS says so; else ./runs.",
    )
    interrupt_signals: list[Literal["SIGUSR1", "SIGUSR2", "SIGXCPU"]] = Field(
        default=["SIGUSR1"],
        description="Signals besides SIGINT and SIGTERM that stop a run with a checkpoint, as from `sbatch --signal`.",
    )
    keymap: Mapping[str, str] = Field(
        default_factory=dict, description='Keys of your own by the names of actions: design.add = "i"; "i,f7" is two.'
    )


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mistake in the file."""

    file: Path
    key: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else f"{self.file}"
        return f"{place} {self.found}{'; expected ' if self.expected else ''}{self.expected}. {self.fix}"


def settings_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """$XDG_CONFIG_HOME/torchdeck/settings.toml or ~/.config/torchdeck/settings.toml; it need not be there.

    None where there is no home folder to look in.
    """
    folder = config_folder(environ)
    return None if folder is None else folder / "settings.toml"


def read_settings(file: Path | None = None) -> tuple[Settings, list[Wrong]]:
    """The settings of a file, or of the person's own; a field with a mistake has its default. No mistake is raised."""
    file = file or settings_file()
    if file is None:
        return Settings(), []
    try:
        given = tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return Settings(), []
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        return Settings(), [Wrong(file, "", found, "", "Every setting is at its default.")]
    except ValueError as error:
        fix = "Mend that line; until then every setting is at its default."
        return Settings(), [Wrong(file, "", f"is not TOML: {str(error).rstrip('.')}", "", fix)]
    if isinstance(given.get("keymap"), dict):
        given["keymap"] = _flat(given["keymap"])
    return _settings_of(given, file)


def _settings_of(given: dict[str, Any], file: Path) -> tuple[Settings, list[Wrong]]:
    """Leave out what is wrong, and say so, until the rest is right."""
    wrong: list[Wrong] = []
    while True:
        try:
            return Settings(**given), wrong
        except ValidationError as error:
            for one in error.errors():
                name, *inner = (str(part) for part in one["loc"])
                if inner and isinstance(keymap := given.get(name), dict):
                    found = f"is {toml_value(keymap.pop(inner[0]))}"
                    wrong.append(Wrong(file, f"{name}.{inner[0]}", found, 'a key in quotes, such as "i"', _OWN_KEYS))
                elif name not in Settings.model_fields:
                    given.pop(name)
                    wrong.append(_unknown(file, name))
                elif name in given:  # a list may have several mistakes
                    wrong.append(Wrong(file, name, f"is {toml_value(given.pop(name))}", _EXPECTED[name], _fix(name)))


_OWN_KEYS = "Until then the action has its own keys."
_EXPECTED = {
    "theme": '"auto", "dark", "light", "terminal" or "none"',
    "animation": "true or false",
    "refresh_rate": "a number from 0.1 to 30",
    "runs_dir": 'a folder in quotes, such as "~/runs"',
    "interrupt_signals": 'a list of "SIGUSR1", "SIGUSR2" and "SIGXCPU"',
    "keymap": 'a table of keys: [keymap] and then design.add = "i"',
}


def _fix(name: str) -> str:
    return f"Until it is mended, {name} is at its default, {toml_value(getattr(Settings(), name))}."


def _unknown(file: Path, name: str) -> Wrong:
    from difflib import get_close_matches

    near = get_close_matches(name, Settings.model_fields, n=1)
    fix = f"Call it {near[0]}." if near else "Take it out."
    return Wrong(file, name, "is no setting", f"one of {', '.join(Settings.model_fields)}", fix)


def _flat(keymap: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`design.add = "i"` in TOML is a table in a table; here it is one name."""
    flat: dict[str, Any] = {}
    for name, value in keymap.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def toml_value(value: object) -> str:
    """A value as it stands in the file; of the folder that is not given, where runs then lie."""
    if value is None:
        return "./runs"
    return json.dumps(value, ensure_ascii=False, default=str)
