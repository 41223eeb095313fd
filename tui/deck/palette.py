"""The commands of the palette: every action that a key has now, then presets, themes and a screenshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from engine import home_folder
from tui.preferences.themes import THEMES
from tui.services.deck_services import DeckServices


def commands(app: App[Any], screen: Screen[Any], services: DeckServices) -> Iterator[SystemCommand]:
    """Yield the commands for a screen of the app."""
    seen = set()
    for active in sorted(screen.active_bindings.values(), key=lambda active: not active.binding.show):
        binding = active.binding
        what = active.tooltip or binding.tooltip
        named, bracket, arguments = binding.action.partition("(")
        namespace, _, name = named.rpartition(".")
        action = {"app": app, "screen": screen}.get(namespace, active.node), name + bracket + arguments
        if action in seen or not active.enabled or not what or name == "command_palette":
            continue
        seen.add(action)
        key = app.get_key_display(binding)
        yield SystemCommand(f"{binding.description} ({key})", what, _run(app, binding.action, active.node))
    for preset in services.producer.presets():
        yield SystemCommand(f"Plan of {preset.name}", preset.summary, _open(services, preset.name))
        yield SystemCommand(f"Train {preset.name}", preset.summary, _train(services, preset.name))
    for title, theme in THEMES.items():
        yield SystemCommand(f"Theme: {title}", "The colours of the deck", _use_theme(app, theme.name))
    yield SystemCommand("Theme: more …", "Every theme that Textual has", app.search_themes)
    yield SystemCommand("Save a screenshot", "This screen as an SVG file", lambda: _save_screenshot(app))


def _run(app: App[Any], action: str, node: Any) -> Callable[[], Any]:
    async def run() -> None:
        await app.run_action(action, node)

    return run


def _save_screenshot(app: App[Any]) -> None:
    # It goes to the downloads folder. Without a home folder, Textual would create a folder named "~".
    app.deliver_screenshot(path=None if home_folder() else str(Path.cwd()))


def _use_theme(app: App[Any], theme: str) -> Callable[[], None]:
    return lambda: setattr(app, "theme", theme)


def _open(services: DeckServices, preset: str) -> Callable[[], None]:
    return lambda: services.documents.open(services.documents.of_preset(preset))


def _train(services: DeckServices, preset: str) -> Callable[[], None]:
    return lambda: services.runs.train(services.documents.of_preset(preset))
