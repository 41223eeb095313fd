"""The catalog as text: its kinds, the entries of a kind, one entry in full."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import Any

from engine import CATALOG_KINDS, DATA_SOURCES, KIND_NAMES, Refused, catalog_entries, unknown_name, value_text
from tui.tables.text import columns, wrapped

_SOURCES = "sources"


def catalog_text(kind: str | None, name: str | None, *, as_json: bool = False) -> str:
    """The kinds, the entries of a kind, or one entry.

    Raises:
        Refused: there is no such kind, or no such name in it.
    """
    kinds = (*CATALOG_KINDS, _SOURCES)
    if kind is None:
        rows = [(k, ", ".join(_names(k))) for k in kinds]
        return json.dumps({k: _names(k) for k in kinds}) if as_json else columns(rows)
    if kind not in kinds:
        raise Refused(unknown_name("catalog", kind, kinds, "a kind of the catalog"))
    names = _names(kind)
    if name is None:
        if as_json:
            return json.dumps([_entry(kind, n) for n in names], default=str)
        return _list([_summary(kind, n) for n in names])
    if name not in names:
        what = "a data source" if kind == _SOURCES else KIND_NAMES[kind]
        raise Refused(unknown_name(f"catalog {kind}", name, names, what))
    entry = _entry(kind, name)
    return json.dumps(entry, default=str) if as_json else _page(entry)


def _summary(kind: str, name: str) -> dict[str, Any]:
    """The fields of an entry that a list shows; without its parameters, which need torch."""
    if kind == _SOURCES:
        return _entry(kind, name)
    entry = catalog_entries(kind)[name]
    fields = ("name", "group", "summary", "when", "grew_from", "path", "torch_name")
    return {field: getattr(entry, field) for field in fields}


def _list(entries: list[dict[str, Any]]) -> str:
    """A table of names, what each entry is and when to use it, and its torch name, below the headings of groups.

    For an optimizer, the optimizer that it is based on replaces its summary.
    """
    modules = Counter(e.get("torch_name", "").rpartition(".")[0] for e in entries if not e.get("path"))
    module = modules.most_common(1)[0][0] if modules else ""
    groups = dict.fromkeys(e.get("group", "") for e in entries)
    rows: list[tuple[str, str]] = []
    for group in groups:
        rows += [(group, "")] if group else []
        indent = "  " if group else ""
        rows += [(indent + e["name"], _line(e, module)) for e in entries if e.get("group", "") == group]
    head = f"The torch name is {module}.NAME, unless another one is shown.\n\n" if module.startswith("torch") else ""
    return head + columns(rows)


def _line(entry: dict[str, Any], module: str) -> str:
    basis = f"{entry['grew_from'][0].upper()}{entry['grew_from'][1:]}." if entry.get("grew_from") else ""
    torch_name = entry.get("torch_name", "")
    usual = torch_name in ("", f"{module}.{entry['name']}") or "/" in torch_name
    where = entry.get("path") or ("" if usual else torch_name)
    return " ".join(filter(None, (basis or entry["summary"], entry["when"], f"[{where}]" if where else "")))


def _names(kind: str) -> list[str]:
    return list(DATA_SOURCES if kind == _SOURCES else catalog_entries(kind))


def _entry(kind: str, name: str) -> dict[str, Any]:
    if kind != _SOURCES:
        return catalog_entries(kind)[name].as_dict()
    source = DATA_SOURCES[name]
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


def _page(entry: dict[str, Any]) -> str:
    width = min(100, shutil.get_terminal_size((100, 24)).columns)
    title = f"{entry['name']}  {entry['torch_name']}".rstrip()
    blocks = [title, "\n".join(wrapped(entry["summary"], width))]
    if entry.get("formula"):
        blocks.append("\n".join(f"    {line}" for line in entry["formula"].split("\n")))
    facts = [
        ("field", entry.get("path", "")),
        ("when", entry["when"]),
        ("when not", entry.get("when_not", "")),
        ("based on", entry.get("grew_from", "")),
        ("tasks", ", ".join(entry.get("tasks", ()))),
    ]
    blocks.append(columns([row for row in facts if row[1]]))
    rows = [
        (p["name"], p["type"], _default(p), p["help"])
        for p in sorted(entry["parameters"], key=lambda p: not p["required"])
    ]
    if rows:
        blocks.append(_parameters([("parameter", "type", "default", ""), *rows], width))
    for p in entry["parameters"]:
        choices = [c for c in p.get("choices", ()) if repr(c) not in p["type"]]
        if choices:
            blocks.append(columns([(f"{p['name']}:", ", ".join(map(str, choices)))]))
    return "\n\n".join(blocks)


def _parameters(rows: list[tuple[str, str, str, str]], width: int) -> str:
    """The parameters as columns; where their help has too little room, it is below its parameter."""
    if sum(max(len(row[i]) for row in rows) + 2 for i in range(3)) + 30 <= width:
        return columns(rows)
    lines = []
    for name, type, default, help in rows[1:]:
        lines += wrapped(f"{name}  {type}{f', {default}' if default else ''}", width)
        lines += [f"    {line}" for line in wrapped(help, width - 4)] if help else []
    return "\n".join(lines)


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
