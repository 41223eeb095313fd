"""The deck: it puts the services and the screens together, and declares the keys that work everywhere."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingsMap
from textual.screen import Screen
from textual.theme import Theme

from engine import Draft, PauseMode, is_file
from tui.deck.keys import DeckKeys
from tui.deck.leaving import Leaving
from tui.deck.palette import commands
from tui.feed import Source
from tui.preferences.keymap import checked
from tui.preferences.memory import Memory
from tui.preferences.settings import Settings, settings_file
from tui.preferences.themes import THEMES, VARIABLES, theme_name
from tui.screens.deck_screen import DeckScreen, added_screens
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.services.deck_services import DeckServices
from tui.services.design import Design
from tui.services.documents import Documents
from tui.services.plans import PlanService
from tui.services.producer import Producer, Run
from tui.services.run_controller import RunController
from tui.widgets.header import Tabs

POLL_RUN_S = 0.5
"""How often the deck checks whether the run of this process changed."""

WRITE_MEMORY_S = 30.0
"""How often the deck writes what it remembers, if that changed; it also does so at the end."""


class Deck(DeckKeys):
    """The deck.

    Work that takes time runs on threads of `Background`. Only the app's loop touches widgets.

    Args:
        runs_dir: the folder where runs are listed and created.
        draft: the experiment to open instead of the presets.
        source: the preset or file that the draft was read from.
        train: train the draft as soon as its plan is ready.
        open_run: a run to watch.
        resume: a run to resume.
        overrides: changes (`path=value`) for the resumed run.
        pause_mode: pause the resumed run in this way before its first step.
        settings: the person's settings.
        memory: what earlier decks remembered; without it, nothing is remembered.
        wrong: problems with the settings, to show in notifications.
    """

    CSS = "Toast { max-width: 76; }"
    TITLE = "torchdeck"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    DEFAULT_MODE: ClassVar[str] = "home"

    def __init__(
        self,
        runs_dir: Path,
        draft: Draft | None = None,
        *,
        source: str = "",
        train: bool = False,
        open_run: Path | None = None,
        resume: Path | None = None,
        overrides: tuple[str, ...] = (),
        pause_mode: PauseMode | None = None,
        producer: Producer | None = None,
        settings: Settings | None = None,
        memory: Memory | None = None,
        wrong: Iterable[str] = (),
    ) -> None:
        # Textual decides how to remove colours when its own theme is set, by whether that theme is the terminal's.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for theme in THEMES.values():
            self.register_theme(theme)
        self.settings = settings or Settings()
        self.memory = memory or Memory()
        self.theme = theme_name(os.environ, self.settings.theme, self._last_theme())
        self.animation_level = "full" if self.settings.animation else "none"
        self._wrong = list(wrong)
        self.chosen_keys = checked(self.settings.keymap, self._warn_of_key)
        self.set_keymap(self.chosen_keys)
        self.producer = producer or Producer()
        self.plans = PlanService(self, self.producer)
        self.documents = Documents(self, self.producer, self.plans, self._show_design)
        self.run_controller = RunController(
            self, self.producer, self.plans, self.documents, runs_dir, self._run_screen, key=self.key_of("deck.train")
        )
        self.leaving = Leaving(self, self.run_controller, self.documents)
        self.services = DeckServices(
            producer=self.producer,
            plans=self.plans,
            documents=self.documents,
            runs=self.run_controller,
            settings=self.settings,
            memory=self.memory,
            tabs=Tabs(self.chosen_keys, lambda: self.run_controller.mark, self.run_controller.changed),
        )
        self.add_mode("home", lambda: HomeScreen(self.services))
        self.shown: Callable[[], None] | None = None
        """Called in the loop when the deck has started."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.crash: Exception | None = None
        """The error in the deck itself that ended it."""
        self._document = Design(draft, source, Path(source) if is_file(source) else None) if draft is not None else None
        self._train = train
        self._open_run = open_run
        self._resume = resume
        self._overrides = overrides
        self._pause_mode = pause_mode

    # Start and end.

    def _last_theme(self) -> str:
        return self.memory.theme if self.memory.theme in self.available_themes else ""

    def _warn_of_key(self, id_: str, problem: str) -> None:
        self._wrong.append(f"{settings_file()}: keymap.{id_} {problem}")

    def on_mount(self) -> None:
        self.loop = asyncio.get_running_loop()
        for sentence in self._wrong:
            self.notify(sentence, title="Settings", severity="warning", timeout=20, markup=False)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self.set_interval(WRITE_MEMORY_S, self.memory.write)
        self.leaving.watch()
        if self.shown is not None:
            self.shown()
        if self._document is not None and self._train:
            self.documents.select(self._document)
            self.run_controller.train(self._document)
        elif self._document is not None:
            self.documents.open(self._document)
        if self._open_run is not None:
            self.run_controller.open_run(self._open_run)
        if self._resume is not None:
            self.run_controller.resume(self._resume, self._overrides, pause_mode=self._pause_mode)
        self.set_interval(POLL_RUN_S, self.run_controller.poll)
        self.call_after_refresh(lambda: self.set_timer(0.02, self._begin_work))

    def _begin_work(self) -> None:
        """The first frame is on the screen: start what takes time."""
        self.plans.begin()
        self.run_controller.begin()
        self._add_screens()
        if self.run_controller.pending is None and (document := self.documents.current or self._document_here):
            self.plans.check(document)

    def _add_screens(self) -> None:
        """Add the screens that are opened by a key of their own, each with its key."""
        for screen in added_screens():
            self.add_mode(screen.MODE, lambda screen=screen: screen(self.services))  # type: ignore[misc]
            added = BindingsMap([screen.OPENED_BY] if screen.OPENED_BY is not None else [])
            self._bindings = BindingsMap.merge([self._bindings, added])
        self.screen.refresh_bindings()

    def on_unmount(self) -> None:
        self.memory.write()

    def _remember_theme(self, theme: Theme) -> None:
        self.memory.theme = theme.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def _handle_exception(self, error: Exception) -> None:
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual would print every local variable in boxes; the log gets Python's own traceback instead.
        traceback.print_exc()
        self._close_messages_no_wait()

    def close_work(self) -> bool:
        """Start no more work; returns whether some is still running."""
        checking = self.plans.close()
        return self.run_controller.close() or checking

    @property
    def runs(self) -> list[Run]:
        """The runs that this process trained; the last one may be active."""
        return self.run_controller.runs

    @property
    def watched(self) -> Path | None:
        """The run of another process that was opened last."""
        return self.run_controller.watched

    @property
    def detaching(self) -> bool:
        """Whether the run continues in a separate process after the deck has exited."""
        return self.leaving.detaching

    # Screens.

    @property
    def _document_here(self) -> Design | None:
        """The document under the cursor of the screen that is shown."""
        return self.screen.document if isinstance(self.screen, DeckScreen) else None

    def _show_design(self, design: Design) -> None:
        if "design" not in self._modes:
            self.add_mode("design", lambda: DesignScreen(self.services, design))
        self.switch_mode("design")

    def _run_screen(
        self, source: Source, run_name: str, *, design: Design | None, directory: Path | None
    ) -> Screen[None]:
        # This module is loaded when the first run is shown.
        from tui.screens.train import TrainScreen

        return TrainScreen(source, run_name, design=design, directory=directory, services=self.services)

    def action_open_screen(self, mode: str) -> None:
        self.switch_mode(mode)

    def action_design(self) -> None:
        if document := self.documents.current or self._document_here:
            self.documents.open(document)
        else:
            self.notify("Choose a preset first.", markup=False)
            self.action_runs()

    def action_training(self) -> None:
        self.run_controller.show_last()

    def action_runs(self) -> None:
        self.switch_mode("home")

    async def action_quit(self) -> None:
        self.leaving.ask()

    def action_detach(self) -> None:
        """Leave; a run of this process continues in a separate process."""
        self.leaving.detach()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands(self, screen, self.services)
