"""Leaving the deck: what is asked before, about a run that is going and documents that are not saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.protocol.commands import Simple
from tui.dialogs.quit import DISCARD, GO_ON, OF_A_RUN, OF_CHANGES, SAVE, STAY, STOP, QuitScreen

if TYPE_CHECKING:
    from tui.deck.app import Deck

LOOK_AGAIN_S = 0.1


class Leaving:
    """Asks what is to become of a run and of documents, then ends the deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self.detaching = False
        """Whether the run is to go on in a process of its own when the deck is left."""
        self._asked: QuitScreen | None = None
        """The question about a run, while it is open."""

    def ask(self) -> None:
        """Leave; ask first what is to become of a run that is going."""
        control = self._deck.control
        self.detaching = False
        starting = control.beginning is not None and control.beginning.starting
        control.cancel()
        if starting:
            # Whatever comes of it is known in a moment, and is then stopped with the deck.
            self._deck.set_timer(LOOK_AGAIN_S, self.ask)
        elif control.going is not None and not (control.beginning is not None and control.beginning.over):
            is_ = " is training." if control.going.hold is None else " is paused."
            self._asked = QuitScreen(control.going.directory.name, is_, OF_A_RUN)
            self._deck.push_screen(self._asked, self._answered)
        else:
            self._leave_documents()

    def run_ended(self) -> None:
        """The run that it was asked about has ended: there is nothing left to ask."""
        if self._asked is not None and self._asked.is_current:
            self._asked.dismiss(STAY.name)

    def _answered(self, choice: str | None) -> None:
        self._asked = None
        if choice == GO_ON.name:
            self.detach()
        elif choice == STOP.name:
            if self._deck.control.going is not None:
                self._deck.control.going.send(Simple(command="stop"))
            self._leave_documents()

    def detach(self) -> None:
        """Leave; a run of this process goes on without the deck, as one of another process does anyway."""
        self.detaching = True
        self._leave_documents()

    def _leave_documents(self) -> None:
        """Leave, once nothing is unsaved or is meant to be lost."""
        unsaved = self._deck.unsaved
        if not unsaved:
            self._end()
            return
        names = ", ".join(design.name or "a document" for design in unsaved)

        def answered(choice: str | None) -> None:
            if choice == DISCARD.name:
                for design in unsaved:
                    self._deck.documents.give_up(design)
                self._end()
            elif choice == SAVE.name:
                self._deck.documents.save(unsaved[0], then=self._leave_documents)
            else:
                self.detaching = False

        is_ = " is not saved." if len(unsaved) == 1 else " are not saved."
        self._deck.push_screen(QuitScreen(names, is_, OF_CHANGES), answered)

    def _end(self) -> None:
        going = self._deck.control.going
        if self.detaching and going is not None:
            going.send(Simple(command="detach"))
        self._deck.exit()
