"""The presets: experiments that come with torchdeck, one TOML file each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

FIRST = "digits-cnn"
"""What to begin with: seconds to train, and everything in it."""


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
    """The file of a preset as it stands, comments included.

    Raises:
        FileNotFoundError: there is no such preset.
    """
    return (resources.files("presets") / f"{name}.toml").read_text(encoding="utf-8")


def presets() -> tuple[Preset, ...]:
    """Every preset with its summary: the one to begin with, then those whose data is there, then the others.

    Data is there where it takes no download and no file of one's own.
    """
    texts = {name: preset_text(name) for name in preset_names()}
    ordered = sorted(texts, key=lambda name: (name != FIRST, not _is_at_hand(texts[name]), name))
    return tuple(Preset(name, _summary(texts[name])) for name in ordered)


def _is_at_hand(text: str) -> bool:
    from engine.data.sources import SOURCES  # which know documents

    return SOURCES[tomllib.loads(text)["data"]["source"]].at_hand()


def _summary(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return lines[0] if lines else ""
