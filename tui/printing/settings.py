"""The settings as text, as JSON, and as a file to edit."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from engine import NO_HOME
from tui.preferences.keymap import checked, declared
from tui.preferences.settings import Settings, read_settings, toml_value
from tui.tables.text import columns, plain


def settings_as_dict(file: Path | None, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Every setting with its value, default, help and the origin of the value; and every mistake in the file.

    Args:
        file: the settings file; None without a home folder.
    """
    settings, wrong = read_settings(file)
    mistakes = [str(one) for one in wrong]
    right = checked(settings.keymap, lambda id_, what: mistakes.append(f"{file}: keymap.{id_} {what}"))
    fields = {}
    for name, field in Settings.model_fields.items():
        default = getattr(Settings(), name)
        value, source = getattr(settings, name), "settings" if name in settings.model_fields_set else "default"
        if name == "runs_dir" and environ.get("TORCHDECK_RUNS"):
            value, source = environ["TORCHDECK_RUNS"], "TORCHDECK_RUNS"
        if name == "theme" and environ.get("NO_COLOR") is not None:
            value, source = "none", "NO_COLOR"
        if name == "keymap":
            value = {id_: keys for id_, keys in settings.keymap.items() if id_ in right}
        fields[name] = {"value": value, "default": default, "from": source, "help": field.description}
    there = file is not None and os.path.exists(file)
    return {"file": str(file) if file is not None else None, "exists": there, "settings": fields, "mistakes": mistakes}


def print_settings(shown: Mapping[str, Any], out: TextIO) -> None:
    """Print the path of the file, and a row a setting: its value, what set it, its default, and its help."""
    there = "" if shown["exists"] else " (there is no such file: every setting has its default)"
    rows = [("setting", "value", "set by", "default", "")]
    for name, one in shown["settings"].items():
        by = "" if one["from"] == "default" else one["from"]
        if name == "keymap":
            rows.append((name, "" if one["value"] else "the deck's", by, "the deck's", one["help"]))
            rows += [(f"  {id_}", toml_value(keys), by, "", "") for id_, keys in one["value"].items()]
        else:
            rows.append((name, toml_value(one["value"]), by, toml_value(one["default"]), one["help"]))
    file = plain(shown["file"]) + there if shown["file"] else f"There is no settings file: {NO_FILE}"
    print(f"{file}\n\n{columns(rows)}\n", file=out)
    print("torchdeck settings --edit opens the file in $EDITOR, with every setting and key in it.", file=out)


def file_to_edit() -> str:
    """The text of a settings file in which every setting and key is a comment with its default."""
    lines = ["# Settings of torchdeck. Remove the # of a line to set it.", ""]
    for name, field in Settings.model_fields.items():
        if name != "keymap":
            value = getattr(Settings(), name)
            lines += [f"# {field.description}", f"# {name} = {toml_value('runs' if value is None else value)}", ""]
    lines += [f"# {Settings.model_fields['keymap'].description}", "[keymap]"]
    seen = set()
    for named in sorted(declared(), key=lambda named: named.id):
        if named.id not in seen:
            seen.add(named.id)
            what = named.binding.tooltip
            lines.append(f"# {named.id} = {toml_value(','.join(named.keys))}    # {what}")
    return "\n".join(lines) + "\n"


NO_FILE = f"{NO_HOME}. Set XDG_CONFIG_HOME to a folder."


def edit_file(file: Path | None) -> str:
    """Open the file in $VISUAL or $EDITOR, and create it if needed; returns why not, or an empty string."""
    if file is None:
        return f"There is no settings file to edit: {NO_FILE}"
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        if not os.path.exists(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_text(file_to_edit(), encoding="utf-8")
    except OSError as error:
        return f"{file}: it cannot be written ({error.strerror}). Set XDG_CONFIG_HOME to another folder."
    try:
        status = subprocess.call([*shlex.split(editor), str(file)])
    except (OSError, ValueError) as error:
        return f"{editor} cannot be started: {error}. Set $EDITOR to your editor."
    return f"{editor} exited with status {status}." if status else ""
