"""The presets: experiments that come with torchdeck, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources


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
    """Every preset with its summary."""
    return tuple(Preset(name, _summary(preset_text(name))) for name in preset_names())


def _summary(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return lines[0] if lines else ""
