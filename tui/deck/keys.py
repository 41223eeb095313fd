"""The keys that work on every screen, and the actions that need nothing of the deck but its screens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.keys import format_key
from textual.widget import Widget

from tui.dialogs.choice import ChoiceScreen
from tui.dialogs.help import HelpScreen
from tui.dialogs.jump import JumpScreen, jump_places
from tui.terminal.app import TerminalApp


class DeckKeys(TerminalApp):
    """The keys of a deck. The actions that need its services are methods of `Deck`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "design", "Design", show=False, id="deck.design", tooltip="Show the design of the experiment"),
        Binding(
            "2",
            "training",
            "Train",
            show=False,
            id="deck.train",
            tooltip="Show the active run, or the run shown last",
        ),
        Binding("3", "runs", "Runs", show=False, id="deck.runs", tooltip="Show the presets and runs"),
        Binding("q", "quit", "Quit", id="deck.quit", tooltip="Leave the deck; asks first while a run is active"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="deck.quit_anywhere", tooltip="Leave the deck"),
        Binding(
            "ctrl+c",
            "interrupt",
            "Copy, quit",
            show=False,
            priority=True,
            id="deck.interrupt",
            tooltip="Copy the selected text, or quit",
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            priority=True,
            id="deck.suspend",
            tooltip="Suspend the deck and its run; fg in the shell resumes them",
        ),
        Binding(
            "ctrl+l",
            "redraw",
            "Redraw",
            show=False,
            priority=True,
            id="deck.redraw",
            tooltip="Draw the screen again, if another program wrote on it",
        ),
        Binding("question_mark", "help", "Help", key_display="?", id="deck.help", tooltip="The keys of this screen"),
        Binding("f1", "help_here", "Help here", show=False, id="deck.help_here", tooltip="Help for the focused panel"),
        Binding(
            "grave_accent,ctrl+g",
            "jump",
            "Jump",
            show=False,
            id="deck.jump",
            tooltip="Go to any panel: each shows a letter; press it to go there",
        ),
    ]

    chosen_keys: Mapping[str, str]
    """The person's own keys, by the ids of bindings."""

    def key_of(self, id_: str) -> str:
        """Return the key of a binding of the deck, or the person's own key for it."""
        key = next(b.key for b in self.BINDINGS if isinstance(b, Binding) and b.id == id_)
        return format_key(self.chosen_keys.get(id_, key).partition(",")[0])

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen))

    def action_help_here(self) -> None:
        self.push_screen(HelpScreen(self.screen, self.focused))

    def action_redraw(self) -> None:
        self.refresh(layout=True)

    def action_suspend_process(self) -> None:
        if os.getsid(os.getppid()) != os.getsid(0):
            self.notify("There is no shell here that could resume the deck.", markup=False)
        else:
            super().action_suspend_process()

    def action_jump(self) -> None:
        screen = self.screen
        places = jump_places(screen)
        if not places:
            self.notify("There is no panel to go to here.", timeout=2, markup=False)
            return

        def go(place: Widget | None) -> None:
            if place is not None and place.is_attached and self.screen is screen:
                place.focus()

        self.push_screen(JumpScreen(places), go)

    def action_interrupt(self) -> None:
        selected = self.screen.get_selected_text()
        if selected:
            self.copy_to_clipboard(selected)
        elif not isinstance(self.screen, ChoiceScreen):
            self.call_later(self.action_quit)
