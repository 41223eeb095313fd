"""Leaving the deck: the questions about an active run and unsaved documents."""

from __future__ import annotations

from typing import Any

from textual.app import App

from engine import Simple
from tui.dialogs.choice import DETACH, DISCARD, FOR_A_RUN, FOR_CHANGES, SAVE, STAY, STOP, ChoiceScreen
from tui.services.documents import Documents
from tui.services.run_controller import RunController

ASK_AGAIN_S = 0.1


class Leaving:
    """Asks what to do with the run and with the documents, then exits."""

    def __init__(self, app: App[Any], runs: RunController, documents: Documents) -> None:
        self._app = app
        self._runs = runs
        self._documents = documents
        self.detaching = False
        """Whether the run continues in a separate process after the deck has exited."""
        self._question: ChoiceScreen | None = None
        """The question about a run, while it is open."""

    def watch(self) -> None:
        """Close the question about a run when the run ends. Call it once the app runs."""
        self._runs.changed.subscribe(self._app, lambda _: self._run_changed(), immediate=True)

    def ask(self) -> None:
        """Leave; ask first what to do with an active run."""
        runs = self._runs
        self.detaching = False
        starting = runs.requested is not None and runs.requested.starting
        runs.cancel()
        if starting:
            # In a moment there is a run or a refusal; a run is then stopped.
            self._app.set_timer(ASK_AGAIN_S, self.ask)
        elif runs.active is not None and not (runs.requested is not None and runs.requested.ended):
            state = " is training." if runs.active.pause_mode is None else " is paused."
            self._question = ChoiceScreen(runs.active.directory.name, state, FOR_A_RUN)
            self._app.push_screen(self._question, self._answered)
        else:
            self._leave_documents()

    def _run_changed(self) -> None:
        ended = self._runs.runs and self._runs.runs[-1].finished is not None
        if ended and self._question is not None and self._question.is_current:
            self._question.dismiss(STAY.name)

    def _answered(self, choice: str | None) -> None:
        self._question = None
        if choice == DETACH.name:
            self.detach()
        elif choice == STOP.name:
            if self._runs.active is not None:
                self._runs.active.send(Simple(command="stop"))
            self._leave_documents()

    def detach(self) -> None:
        """Leave; a run of this process continues in a separate process."""
        self.detaching = True
        self._leave_documents()

    def _leave_documents(self) -> None:
        """Exit once every document is saved or discarded."""
        unsaved = self._documents.unsaved
        if not unsaved:
            self._exit()
            return
        names = ", ".join(design.name or "a document" for design in unsaved)

        def answered(choice: str | None) -> None:
            if choice == DISCARD.name:
                for design in unsaved:
                    self._documents.discard(design)
                self._exit()
            elif choice == SAVE.name:
                self._documents.save(unsaved[0], then=self._leave_documents)
            else:
                self.detaching = False

        state = " is not saved." if len(unsaved) == 1 else " are not saved."
        self._app.push_screen(ChoiceScreen(names, state, FOR_CHANGES), answered)

    def _exit(self) -> None:
        active = self._runs.active
        if self.detaching and active is not None:
            active.send(Simple(command="detach"))
        self._app.exit()
