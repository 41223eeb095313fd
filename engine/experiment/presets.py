"""The presets: experiments that are included in torchdeck, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

FIRST = "digits-cnn"
"""The preset to start with: it trains in seconds and uses every section of a document."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset's name and the first comment of its file."""

    name: str
    summary: str


def preset_names() -> list[str]:
    """Names of the presets, in alphabetical order."""
    files = resources.files("presets").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def preset_text(name: str) -> str:
    """The text of a preset's file, comments included.

    Raises:
        FileNotFoundError: there is no such preset.
    """
    return (resources.files("presets") / f"{name}.toml").read_text(encoding="utf-8")
