"""The catalog as text: kinds, the entries of a kind, one entry whole."""

from __future__ import annotations

import json
from typing import Any

from engine.catalog import KINDS, SINGULAR, catalog
from engine.data.sources import SOURCES
from engine.experiment.mistakes import Refused, unknown_name, value_text
from tui.printing.text import columns, wrapped

_SOURCES = "sources"


def catalog_text(kind: str | None, name: str | None, *, as_json: bool = False) -> str:
    """The kinds; or the entries of one; or one entry.

    Raises:
        Refused: there is no such kind, or no such name in it.
    """
    kinds = (*KINDS, _SOURCES)
    if kind is None:
        rows = [(k, ", ".join(_names(k))) for k in kinds]
        return json.dumps({k: _names(k) for k in kinds}) if as_json else columns(rows)
    if kind not in kinds:
        raise Refused(unknown_name("catalog", kind, kinds, "a kind of the catalog"))
    names = _names(kind)
    if name is None:
        entries = [_entry(kind, n) for n in names]
        return json.dumps(entries, default=str) if as_json else _listed(entries)
    if name not in names:
        what = "a data source" if kind == _SOURCES else SINGULAR[kind]
        raise Refused(unknown_name(f"catalog {kind}", name, names, what))
    entry = _entry(kind, name)
    return json.dumps(entry, default=str) if as_json else _whole(entry)


def _listed(entries: list[dict[str, Any]]) -> str:
    """Names and summaries, under the names of their groups where a kind has groups."""
    groups = dict.fromkeys(e.get("group", "") for e in entries)
    rows: list[tuple[str, str]] = []
    for group in groups:
        rows += [(group, "")] if group else []
        indent = "  " if group else ""
        rows += [(indent + e["name"], e["summary"]) for e in entries if e.get("group", "") == group]
    return columns(rows)


def _names(kind: str) -> list[str]:
    return list(SOURCES if kind == _SOURCES else catalog(kind))


def _entry(kind: str, name: str) -> dict[str, Any]:
    if kind != _SOURCES:
        return catalog(kind)[name].as_dict()
    source = SOURCES[name]
    parameters = [
        {
            "name": field,
            "type": getattr(about.annotation, "__name__", str(about.annotation)),
            "default": None if about.is_required() else about.default,
            "required": about.is_required(),
            "help": about.description or "",
        }
        for field, about in source.model_fields.items()
    ]
    return {
        "kind": kind,
        "name": name,
        "torch_name": "",
        "summary": source.summary,
        "when": source.when,
        "parameters": parameters,
    }


def _whole(entry: dict[str, Any]) -> str:
    title = f"{entry['name']}  {entry['torch_name']}".rstrip()
    blocks = [title, "\n".join(wrapped(entry["summary"], 100)), "\n".join(wrapped(f"When: {entry['when']}", 100))]
    if entry.get("tasks"):
        blocks.append(f"For: {', '.join(entry['tasks'])}")
    rows = [
        (p["name"], p["type"], _default(p), p["help"])
        for p in sorted(entry["parameters"], key=lambda p: not p["required"])
    ]
    if rows:
        blocks.append(columns([("parameter", "type", "default", ""), *rows]))
    return "\n\n".join(blocks)


def _default(parameter: dict[str, Any]) -> str:
    if parameter.get("inferred"):
        return "inferred"
    return (
        "required"
        if parameter["required"]
        else ""
        if parameter["default"] is None
        else value_text(parameter["default"])
    )
