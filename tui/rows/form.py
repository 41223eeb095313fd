"""The texts of a form, as functions of its fields and their mistakes. No widgets and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from textual.content import Content

from engine import FormField, Mistake, type_words
from tui.quantities import left, right
from tui.rows.design import MUTED, WRONG, value_text


def form_rows(fields: Sequence[FormField], mistakes: Sequence[Mistake], width: int) -> list[Content]:
    """Return a row for each field: • set in the document, dim the default, ✗ a mistake."""
    return [_row(field, mistakes_at(field, mistakes), width) for field in fields]


def mistakes_at(field: FormField, mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Return the mistakes in the value of a field."""
    return [m for m in mistakes if m.path == field.path or (m.path.startswith(f"{field.path}[") and not field.options)]


def _row(field: FormField, wrong: Sequence[Mistake], width: int) -> Content:
    mark = "✗ " if any(m.severity == "error" for m in wrong) else "! " if wrong else "• " if field.is_set else "  "
    name = "  " * field.depth + field.name
    value = shown(field)
    room = width - 2
    style = WRONG if wrong else "bold" if field.is_set else MUTED
    lines: list[Content | tuple[str, str] | str]
    if cell_len(name) + cell_len(value) + 2 <= room:
        lines = [(mark, WRONG if wrong else "$text-accent"), name, (right(value, room - cell_len(name)), style)]
    else:
        space = room - cell_len(name) - 2
        if space >= 8:
            lines = [(mark, WRONG if wrong else "$text-accent"), name, "  ", (left(value, space), style)]
        else:
            lines = [(mark, WRONG if wrong else "$text-accent"), left(name, room), "\n", (right(value, width), style)]
    for mistake in wrong:
        what = "; ".join(filter(None, (mistake.found, mistake.expected)))
        lines += [("\n" + "\n".join("  " + line for line in wrap(what, max(12, width - 2))), WRONG)]
        if mistake.fix:
            lines += ["\n" + "\n".join("  " + line for line in wrap(f"fix: {mistake.fix}", max(12, width - 2)))]
    return Content.assemble(*lines)


def shown(field: FormField) -> str:
    """Return a field's value as it is shown."""
    if field.value is None or field.value == "" or field.value == []:
        if field.required:
            return "required"
        return "inferred" if field.inferred else field.off or ("none" if field.value is not None else "")
    if field.is_switch:
        return "on" if field.value else "off"
    if field.inferred and isinstance(field.value, str) and field.value == "auto":
        return f"auto → {field.inferred}"
    return value_text(field.value)


def typed(field: FormField) -> str:
    """Return a field's value as it is typed."""
    value = field.value
    if value is None or (isinstance(value, (list, dict)) and not value):
        return ""
    return value if isinstance(value, str) else _toml(value)


def _toml(value: Any) -> str:
    from engine import inline_value

    text = inline_value(value)
    flat = isinstance(value, list) and all(isinstance(item, (int, float)) for item in value)
    return text[1:-1] if flat else text


def field_about(field: FormField, *, typing: bool = False) -> Content:
    """Return what a field is: its help, its possible values, its default, and the keys that change it."""
    lines: list[Content] = [Content(field.help)] if field.help else []
    if not field.names and not field.is_switch:
        words = type_words(field.annotation)
        if words not in ("a value", "text"):
            lines.append(Content.styled(words[0].upper() + words[1:] + ".", MUTED))
    if field.inferred and field.name != "type":
        lines.append(Content.styled(f"By default it is inferred: {field.inferred}.", MUTED))
    elif not field.required and field.is_set:
        default = value_text(field.default) if field.default not in (None, []) else field.off or "none"
        lines.append(Content.styled(f"Default: {default}.", MUTED))
    keys = "⏎ accepts, ↑↓ step, esc cancels." if typing else keys_of(field)
    lines.append(Content.styled(keys, MUTED))
    return Content("\n").join(lines)


def keys_of(field: FormField) -> str:
    """Return the keys that change a field."""
    keys = "space switches" if field.is_switch else "⏎ chooses, ←→ next or previous" if field.options else "⏎ edits"
    if field.is_number and field.value is not None and not field.is_switch:
        keys += ", ←→ step"
    return f"{keys}{', ⌫ default' if field.is_set and not field.required else ''}."
