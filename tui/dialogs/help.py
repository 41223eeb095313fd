"""The keys of a screen, from its bindings, and the help of its panels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.rows.design import MUTED
from tui.widgets.footer import Footer

KEY_WIDTH = 16

MOVING = {
    "cursor_up": "one row up",
    "cursor_down": "one row down",
    "page_up": "one page up",
    "page_down": "one page down",
    "first": "the first row",
    "last": "the last row",
    "focus_next": "the next panel",
    "focus_previous": "the previous panel",
}
"""How the cursor moves in lists, by the names of the actions."""


def key_lines(app: App[object], bindings: Iterable[ActiveBinding]) -> list[Content]:
    """Return a line for each action: its keys and what it does, dim if it is not available now."""
    by_action: dict[str, list[ActiveBinding]] = {}
    for active in bindings:
        by_action.setdefault(_action(active), []).append(active)
    lines = []
    for action, group in by_action.items():
        first = group[0]
        keys = " ".join(dict.fromkeys(app.get_key_display(active.binding) for active in group))
        what = MOVING.get(action) or first.tooltip or first.binding.tooltip or first.binding.description
        lines.append(
            Content.assemble((f"{keys:<{KEY_WIDTH}}", "bold $text-accent"), (what, "" if first.enabled else MUTED))
        )
    return lines


def help_text(screen: Screen[object]) -> Content:
    """Return the help of a screen: its keys, the keys of the deck, how to move, and its panels."""
    app = screen.app
    active = list(screen.active_bindings.values())
    moving = [a for a in active if _action(a) in MOVING]
    own = [a for a in active if a not in moving and (a.tooltip or a.binding.tooltip)]
    sections = {
        "On this screen": [a for a in own if a.node is not app],
        "Everywhere": [a for a in own if a.node is app],
        "Moving": sorted(moving, key=lambda a: list(MOVING).index(_action(a))),
    }
    blocks = []
    for title, bindings in sections.items():
        if lines := key_lines(app, bindings):
            blocks.append(Content("\n").join([Content.styled(title, "bold"), *lines]))
    panels = []
    for widget in screen.walk_children(with_self=True):
        if widget.HELP and widget.display:
            name = getattr(widget, "border_title", None) or getattr(widget.parent, "border_title", None) or ""
            title = str(name).split(" ─ ")[0]
            panels.append(Content.assemble((f"{title}  " if title else "", "bold"), widget.HELP.strip()))
    if panels:
        blocks.append(Content("\n").join([Content.styled("Panels", "bold"), *panels]))
    return Content("\n\n").join(blocks)


def panel_help(widget: Widget) -> tuple[str, Content]:
    """Return the title of a panel and its help: what it shows, and its own keys."""
    parts = [part for part in widget.ancestors_with_self if isinstance(part, Widget) and part is not widget.screen]
    title = next((name for part in parts if (name := panel_title(part))), "This panel")
    about = next((part.HELP.strip() for part in parts if part.HELP), "")
    active = [a for a in widget.screen.active_bindings.values() if a.node in parts]
    moving = [a for a in active if _action(a) in MOVING]
    own = [a for a in active if a not in moving and (a.tooltip or a.binding.tooltip)]
    blocks = [Content(about)] if about else []
    for heading, bindings in (("Its keys", own), ("Moving", moving)):
        if lines := key_lines(widget.app, bindings):
            blocks.append(Content("\n").join([Content.styled(heading, "bold"), *lines]))
    help_key = next((a for a in widget.screen.active_bindings.values() if _action(a) == "help"), None)
    if help_key is not None:
        more = f"Press {widget.app.get_key_display(help_key.binding)} for the help of the whole screen."
        blocks.append(Content.styled(more, MUTED))
    return title, Content("\n\n").join(blocks)


def panel_title(widget: Widget) -> str:
    """Return the title in a panel's upper edge, without its state."""
    return str(widget.border_title or "").split(" ─ ")[0]


def _action(active: ActiveBinding) -> str:
    """Return the name of a key's action, without its namespace."""
    return active.binding.action.rpartition(".")[2]


class HelpScreen(ModalScreen[None]):
    """The help of the screen below, or of one panel of it."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,question_mark,f1,q",
            "dismiss",
            "Close",
            key_display="esc",
            id="help.close",
            tooltip="Close the help",
        ),
    ]

    def __init__(self, screen: Screen[object], panel: Widget | None = None) -> None:
        super().__init__()
        title, text = panel_help(panel) if panel is not None else ("", help_text(screen))
        self._title, self._text = f"Help ─ {title}" if title else "Help", text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as panel:
            panel.border_title = self._title
            yield Static(self._text)
        yield Footer(show_command_palette=False)
