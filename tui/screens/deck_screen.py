"""The base of the deck's screens, and the screens that are found without being named anywhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.binding import Binding
from textual.screen import Screen

import tui.screens
from tui.services.deck_services import DeckServices
from tui.services.design import Design
from tui.services.run_controller import ListedRuns

T = TypeVar("T")


class DeckScreen(Screen[None]):
    """A screen of the deck. It is told what changes while it is shown, with or without a dialog over it.

    A class in `tui.screens` that sets `MODE` and `OPENED_BY` is added to every deck.
    """

    MODE: ClassVar[str] = ""
    """The name of the screen, for `app.open_screen('NAME')`."""
    OPENED_BY: ClassVar[Binding | None] = None
    """The key that opens the screen from every other screen."""

    def __init__(self, services: DeckServices) -> None:
        super().__init__()
        self.services = services

    def on_mount(self) -> None:
        plans, runs = self.services.plans, self.services.runs
        plans.plan_made.subscribe(self, self._if_shown(self.plan_made), immediate=True)
        plans.findings_made.subscribe(self, self._if_shown(self.document_updated), immediate=True)
        plans.reading.subscribe(self, self._if_shown(self.reading), immediate=True)
        plans.unblocked.subscribe(self, self._if_shown(lambda _: self.check_shown()), immediate=True)
        self.services.documents.opened.subscribe(self, self._if_shown(self.document_opened), immediate=True)
        self.services.documents.saved.subscribe(self, self._if_shown(self.document_updated), immediate=True)
        runs.listed.subscribe(self, self._if_shown(self.runs_listed), immediate=True)

    def _if_shown(self, method: Callable[[T], None]) -> Callable[[T], None]:
        def call(value: T) -> None:
            if self.app.screen_stack[0] is self:
                method(value)

        return call

    @property
    def document(self) -> Design | None:
        """The document under the cursor, which the key for the design opens."""
        return None

    def plan_made(self, design: Design) -> None:
        """The check of a document has ended."""

    def document_opened(self, design: Design) -> None:
        """A document is to be shown."""

    def document_updated(self, design: Design) -> None:
        """A document was saved, or there is more to show about it."""

    def reading(self, text: str) -> None:
        """A check reads or downloads data."""

    def runs_listed(self, listed: ListedRuns) -> None:
        """The list of runs was read."""

    def check_shown(self) -> None:
        """Request the plan of the document that is shown."""


def added_screens() -> list[type[DeckScreen]]:
    """Import every module of `tui.screens`, and return the screens that are opened by a key of their own."""
    for module in pkgutil.iter_modules(tui.screens.__path__):
        importlib.import_module(f"tui.screens.{module.name}")
    return [screen for screen in _subclasses(DeckScreen) if screen.MODE and screen.OPENED_BY is not None]


def _subclasses(owner: type[DeckScreen]) -> list[type[DeckScreen]]:
    return [one for child in owner.__subclasses__() for one in (child, *_subclasses(child))]
