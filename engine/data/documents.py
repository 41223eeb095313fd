"""Documents that a user names, and the list of presets: what needs both documents and sources."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path

from engine.data.sources import SOURCES, source_of_file
from engine.experiment import Draft, Mistake, read
from engine.experiment.presets import FIRST, Preset, preset_names, preset_text


def presets() -> tuple[Preset, ...]:
    """List every preset: first the one to start with, then those whose data is available, then the others.

    Data is available where it needs neither a download nor a file of the user's.
    """
    texts = {name: preset_text(name) for name in preset_names()}
    ordered = sorted(texts, key=lambda name: (name != FIRST, not _is_available(texts[name]), name))
    return tuple(Preset(name, _summary(texts[name])) for name in ordered)


def read_document(preset_or_file: str | Path, overrides: Sequence[str] = ()) -> Draft:
    """Read as `engine.experiment.read` does; for a file of samples, explain how to train on it."""
    mistake = _data_file_mistake(str(preset_or_file))
    return Draft(None, (mistake,)) if mistake is not None else read(preset_or_file, overrides)


def _data_file_mistake(file: str) -> Mistake | None:
    """The mistake of naming a file of samples where an experiment is expected; None for any other file."""
    source = source_of_file(file)
    if source is None:
        return None
    target = " --set data.target=COLUMN" if "target" in source.model_fields else ""
    inspect = f"torchdeck data {shlex.quote(file)}{target}"
    train = f"torchdeck train PRESET --set data.source={source.name} --set {shlex.quote(f'data.path={file}')}{target}"
    found = f"it is data, which the source {source.name} reads"
    fix = f"Look at it with `{inspect}`, train a preset on it with `{train}`."
    return Mistake(file, found, "expected a preset or a TOML file", fix)


def _is_available(text: str) -> bool:
    return SOURCES[tomllib.loads(text)["data"]["source"]].at_hand()


def _summary(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return lines[0] if lines else ""
