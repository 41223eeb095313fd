"""The deck: which screen is shown, what is known of each experiment, and the run that this process trains."""

from __future__ import annotations

import asyncio
import gc
import os
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.keys import format_key
from textual.screen import Screen
from textual.signal import Signal
from textual.theme import Theme
from textual.timer import Timer
from textual.widget import Widget

from engine.experiment import Draft, is_file
from engine.protocol.commands import Hold
from engine.user_folders import home
from tui.deck.leaving import Leaving
from tui.dialogs.help import HelpScreen
from tui.dialogs.jump import JumpScreen, jump_places
from tui.dialogs.picture import PictureScreen
from tui.dialogs.quit import QuitScreen
from tui.preferences.keymap import checked
from tui.preferences.memory import Memory
from tui.preferences.settings import Settings, settings_file
from tui.preferences.themes import THEMES, VARIABLES, theme_name
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.services.background import Background
from tui.services.design import Design
from tui.services.documents import Documents
from tui.services.producer import Producer, Run
from tui.services.run_controller import RunController
from tui.terminal.app import TerminalApp

if TYPE_CHECKING:
    from engine.plan import Plan

CHECK_AFTER_S = 0.25
"""How long the cursor rests on a preset before its plan is made."""

LIST_RUNS_S = 3.0

LOOK_S = 0.5
"""Between two looks whether the run of this process has ended."""

REMEMBER_S = 30.0
"""What is to be remembered is written this often, where it changed, and at the end."""


class Deck(TerminalApp):
    """The deck.

    Work that takes time happens on threads of `Background`; nothing but this app's loop touches a widget.

    Args:
        runs_dir: where runs are listed and made.
        draft: the experiment to open instead of the presets.
        source: the preset or file that it was read from.
        train: whether to train it as soon as its plan is there.
        open_run: a run to watch.
        resume: a run to go on with.
        overrides: `path=value`, of that run from then on.
        hold: how to pause that run before its first step, if at all.
        settings: what the person has set.
        memory: what earlier decks left to be remembered; nothing is kept without one.
        wrong: what is wrong with the settings, to be said.
    """

    CSS = "Toast { max-width: 76; }"
    TITLE = "torchdeck"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {"home": HomeScreen, "design": DesignScreen}
    DEFAULT_MODE: ClassVar[str] = "home"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "design", "Design", show=False, id="deck.design", tooltip="The plan of the experiment"),
        Binding(
            "2",
            "training",
            "Train",
            show=False,
            id="deck.train",
            tooltip="The run that is going, or the one looked at last",
        ),
        Binding("3", "runs", "Runs", show=False, id="deck.runs", tooltip="Presets and runs"),
        Binding("q", "quit", "Quit", id="deck.quit", tooltip="Leave the deck; asks first while a run is going"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="deck.quit_anywhere", tooltip="Leave the deck"),
        Binding(
            "ctrl+c",
            "interrupt",
            "Copy, quit",
            show=False,
            priority=True,
            id="deck.interrupt",
            tooltip="Copy what is marked; else quit",
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            priority=True,
            id="deck.suspend",
            tooltip="Put the deck and its run aside for the shell; fg comes back",
        ),
        Binding(
            "ctrl+l",
            "redraw",
            "Redraw",
            show=False,
            priority=True,
            id="deck.redraw",
            tooltip="Draw the screen again, where something else has written on it",
        ),
        Binding("question_mark", "help", "Help", key_display="?", id="deck.help", tooltip="The keys of this screen"),
        Binding("f1", "help_here", "Help here", show=False, id="deck.help_here", tooltip="What the focused panel is"),
        Binding(
            "grave_accent,ctrl+g",
            "jump",
            "Jump",
            show=False,
            id="deck.jump",
            tooltip="Go to any panel: each shows a letter, which takes you there",
        ),
    ]

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
        hold: Hold | None = None,
        producer: Producer | None = None,
        settings: Settings | None = None,
        memory: Memory | None = None,
        wrong: Iterable[str] = (),
    ) -> None:
        # Textual chooses how to take colours out while its own theme is set, by whether those are the terminal's.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for theme in THEMES.values():
            self.register_theme(theme)
        self.settings = settings or Settings()
        self.memory = memory or Memory()
        self.theme = theme_name(os.environ, self.settings.theme, self._last_theme())
        self.animation_level = "full" if self.settings.animation else "none"
        self._wrong = list(wrong)
        self.chosen_keys = checked(self.settings.keymap, self._complain_of_key)
        """Keys that the person has chosen, by the ids of bindings."""
        self.set_keymap(self.chosen_keys)
        self.runs_dir = runs_dir
        self.producer = producer or Producer()
        self.control = RunController(self)
        self.leaving = Leaving(self)
        self.run_signal: Signal[None] = Signal(self, "run")
        """Published when the run of this process begins or ends."""
        self.shown: Callable[[], None] | None = None
        """Called in the loop when the deck has begun."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.crash: Exception | None = None
        """What ended the deck, if it was a mistake of its own."""
        self._given = Design(draft, source, Path(source) if is_file(source) else None) if draft is not None else None
        self._train_given = train
        self._open_run = open_run
        self._resume = resume
        self._overrides = overrides
        self._hold = hold
        self._designs: dict[str, Design] = {}
        self.design: Design | None = None
        """What the design screen shows."""
        self.documents = Documents(self)
        self.designs: list[Design] = []
        """The documents that were opened, the newest last; those of presets are kept once they were changed."""
        self.clipboard_layers: list[Any] = []
        """The layers that were cut or copied last, as values of a document."""
        self.torch_is_there = False
        """Whether torch was imported: before that, what needs it would hold up the keys."""
        self._checks = Background(self, "check", self._read)
        self._looks = Background(self, "look")
        self._findings = Background(self, "findings")
        self._lists = Background(self, "runs")
        self._check_timer: Timer | None = None
        self.first_frame = False
        """Whether the first frame is drawn: no work that takes time begins before."""

    # Beginning and end.

    def _last_theme(self) -> str:
        return self.memory.theme if self.memory.theme in self.available_themes else ""

    def _complain_of_key(self, id_: str, what: str) -> None:
        self._wrong.append(f"{settings_file()}: keymap.{id_} {what}")

    def on_mount(self) -> None:
        self.loop = asyncio.get_running_loop()
        for sentence in self._wrong:
            self.notify(sentence, title="Settings", severity="warning", timeout=20, markup=False)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self.set_interval(REMEMBER_S, self.memory.write)
        if self.shown is not None:
            self.shown()
        if self._given is not None and self._train_given:
            self.design = self._given
            self.designs = [self._given]
            self.train(self._given)
        elif self._given is not None:
            self.open_design(self._given)
        if self._open_run is not None:
            self.open_run(self._open_run)
        if self._resume is not None:
            self.control.resume(self._resume, self._overrides, hold=self._hold)
        self.set_interval(LIST_RUNS_S, self._list_runs_again)
        self.set_interval(LOOK_S, self.control.look)
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        self.set_timer(0.02, self._begin_work)

    def _begin_work(self) -> None:
        self.first_frame = True
        self.list_runs()
        self.control.begin_work()
        if self.control.pending is not None:
            return
        if self.design is not None:
            self.check(self.design)
        elif isinstance(self.screen, HomeScreen) and self.screen.preset is not None:
            self.check(self.design_of(self.screen.preset.name))

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
        # Textual would print a page of boxes with every local variable; the log gets Python's own traceback instead.
        traceback.print_exc()
        self._close_messages_no_wait()

    def close_work(self) -> bool:
        """Begin no more work; whether some is still going on."""
        work = (self._checks, self._looks, self._findings, self._lists)
        for background in work:
            background.close()
        making = self.control.close()
        return making or any(background.busy for background in work)

    @property
    def going(self) -> Run | None:
        """The run that this process trains now."""
        return self.control.going

    @property
    def runs(self) -> list[Run]:
        """The runs that this process trained, the one that may still be going last."""
        return self.control.runs

    @property
    def watched(self) -> Path | None:
        """The run of another process that was opened last."""
        return self.control.watched

    @property
    def detaching(self) -> bool:
        """Whether the run is to go on in a process of its own when the deck is left."""
        return self.leaving.detaching

    # Documents and their plans.

    def design_of(self, preset: str) -> Design:
        """A preset's document, read once."""
        if preset not in self._designs:
            self._designs[preset] = Design(self.producer.read(preset), preset)
        return self._designs[preset]

    def check_soon(self, design: Design) -> None:
        """Make the plan of a document if the cursor rests on it."""
        if self._check_timer is not None:
            self._check_timer.stop()
        if design.plan is None and design.asked is not design.draft:
            self._check_timer = self.set_timer(CHECK_AFTER_S, lambda: self.check(design))

    def check(self, design: Design) -> None:
        """Make the plan of a document, on a thread, unless it is there or being made."""
        draft = design.draft
        self.control.changed(design)
        pending = self.control.pending
        if not self.first_frame or design.plan is not None or design.asked is draft:
            return
        if pending is not None and pending.design not in (None, design):
            return  # a run waits for the check of its document; the others are checked after that
        for other in (self._given, self.design, *self._designs.values()):
            if other is not None:
                other.asked = None
        design.asked = draft
        self._checks.submit(lambda: self.producer.plan_of(draft), lambda result: self._checked(design, draft, result))

    def _read(self, text: str) -> None:
        """Say how far the data is that a check or a run waits for."""
        self.control.read(text)
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen):
            screen.reading(text)

    def _checked(self, design: Design, draft: Draft, result: Plan | Exception) -> None:
        if not isinstance(result, Exception):
            self.torch_was_loaded()
        if design.draft is not draft:
            return  # it was changed meanwhile, and is being checked again
        design.asked = None
        if isinstance(result, Exception):
            design.failure = f"The check broke: {type(result).__name__}: {result}"
        else:
            design.plan = result
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen):
            screen.checked(design)
        elif isinstance(screen, HomeScreen):
            screen.show_about()
        waited = self.control.pending
        self.control.checked(design)
        if waited is not None:
            self._check_what_is_shown()

    def _check_what_is_shown(self) -> None:
        """Check the document on the screen, if it was left unchecked while a run waited for the check of another."""
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen) and self.design is not None:
            self.check(self.design)
        elif isinstance(screen, HomeScreen) and screen.preset is not None:
            self.check_soon(self.design_of(screen.preset.name))

    def torch_was_loaded(self) -> None:
        """torch is there from now on."""
        if not self.torch_is_there:
            self.torch_is_there = True
            # torch's half a million objects stay for good: a collection that walks over them holds up a key for 0.1 s.
            gc.freeze()

    def look(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Find something out about the document on a thread; only the last thing asked for is answered."""
        self._looks.submit(work, done)

    def open_design(self, design: Design) -> None:
        """Show a document. One that was left with changes stays open behind it."""
        self.design = design
        self.designs = [d for d in self.designs if d is not design and d.unsaved] + [design]
        self.switch_mode("design")
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen) and screen.is_mounted:
            screen.show(design)
        self.check(design)

    def find_out(self, design: Design, part: str) -> None:
        """Find out on a thread what the picture of a part shows; the design screen is told."""
        plan = design.plan
        if plan is None or (part in design.findings and design.findings[part][0] is plan):
            return

        def found(result: Any) -> None:
            if not isinstance(result, Exception):
                design.findings[part] = plan, result
                self._show_design(design)

        self._findings.submit(lambda: self.producer.findings(part, plan), found)

    def document_saved(self, design: Design) -> None:
        """A document was written to a file."""
        self._show_design(design)

    def document_edited(self, design: Design, text: str, what: str) -> None:
        """A document came back from an editor."""
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen) and screen.design is design:
            screen.change(text, what)

    def _show_design(self, design: Design) -> None:
        screen = self.screen_stack[0]
        if isinstance(screen, DesignScreen) and screen.design is design:
            screen.show(design)
            if isinstance(self.screen, PictureScreen):
                self.screen.draw()

    @property
    def unsaved(self) -> list[Design]:
        """The documents that were changed and not saved."""
        return [design for design in self.designs if design.unsaved]

    # Runs.

    def train(self, design: Design) -> None:
        """Train a document; with mistakes, show them instead."""
        self.control.train(design)

    def resume(self, path: Path) -> None:
        """Resume a run in this process."""
        self.control.resume(path)

    def open_run(self, path: Path) -> None:
        """Show a run: of this process, of another one, or one that is over."""
        self.control.open_run(path)

    def run_changed(self) -> None:
        """The run of this process began, or ended: the headers show it."""
        self.run_signal.publish(None)

    def list_runs(self) -> None:
        """Read the list of runs anew, on a thread."""
        if self.first_frame and not self._lists.busy:
            self._lists.submit(lambda: self.producer.runs(self.runs_dir), self._listed)

    def _list_runs_again(self) -> None:
        if isinstance(self.screen, HomeScreen):
            self.list_runs()

    def _listed(self, result: list[Any] | Exception) -> None:
        screen = self.screen_stack[0]
        if isinstance(screen, HomeScreen):
            runs, problem = ([], str(result)) if isinstance(result, Exception) else (result, "")
            screen.show_runs(runs, problem=problem)

    # Keys.

    def key_of(self, id_: str) -> str:
        """The key of a binding of the deck, as the person has it."""
        key = next(b.key for b in self.BINDINGS if isinstance(b, Binding) and b.id == id_)
        return format_key(self.chosen_keys.get(id_, key).partition(",")[0])

    def action_design(self) -> None:
        home = self.screen
        if self.design is not None:
            self.open_design(self.design)
        elif isinstance(home, HomeScreen) and home.preset is not None:
            self.open_design(self.design_of(home.preset.name))
        else:
            self.notify("Choose a preset first.", markup=False)
            self.action_runs()

    def action_training(self) -> None:
        self.control.show_last()

    def action_runs(self) -> None:
        self.switch_mode("home")

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen))

    def action_help_here(self) -> None:
        if self.focused is not None:
            self.push_screen(HelpScreen(self.screen, self.focused))
        else:
            self.action_help()

    def action_redraw(self) -> None:
        self.refresh(layout=True)

    def action_suspend_process(self) -> None:
        if os.getsid(os.getppid()) != os.getsid(0):
            self.notify("There is no shell here that could bring the deck back.", markup=False)
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
        marked = self.screen.get_selected_text()
        if marked:
            self.copy_to_clipboard(marked)
        elif not isinstance(self.screen, QuitScreen):
            self.call_later(self.action_quit)

    async def action_quit(self) -> None:
        self.leaving.ask()

    def action_detach(self) -> None:
        """Leave; a run of this process goes on without the deck, as one of another process does anyway."""
        self.leaving.detach()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of what the keys go to, of the screen and of the deck; then the presets and the themes."""
        seen = set()
        for active in sorted(screen.active_bindings.values(), key=lambda active: not active.binding.show):
            binding = active.binding
            what = active.tooltip or binding.tooltip
            named, bracket, arguments = binding.action.partition("(")
            namespace, _, name = named.rpartition(".")
            action = {"app": self, "screen": screen}.get(namespace, active.node), name + bracket + arguments
            if action in seen or not active.enabled or not what or name == "command_palette":
                continue
            seen.add(action)
            key = self.get_key_display(binding)
            yield SystemCommand(f"{binding.description} ({key})", what, self._runs_action(binding.action, active.node))
        for preset in self.producer.presets():
            yield SystemCommand(f"Plan of {preset.name}", preset.summary, self._opens(preset.name))
            yield SystemCommand(f"Train {preset.name}", preset.summary, self._trains(preset.name))
        for name, theme in THEMES.items():
            yield SystemCommand(f"Theme: {name}", "How the deck is coloured", self._wears(theme.name))
        yield SystemCommand("Theme: more …", "Every theme that Textual comes with", self.search_themes)
        yield SystemCommand("Save a picture", "This screen as an SVG file", self._save_picture)

    def _runs_action(self, action: str, node: Any) -> Callable[[], Any]:
        async def run() -> None:
            await self.run_action(action, node)

        return run

    def _save_picture(self) -> None:
        # Into the folder for downloads; of a ~ that stands for no folder, a folder of that name would be made.
        self.deliver_screenshot(path=None if home() else str(Path.cwd()))

    def _wears(self, theme: str) -> Callable[[], None]:
        return lambda: setattr(self, "theme", theme)

    def _opens(self, preset: str) -> Callable[[], None]:
        return lambda: self.open_design(self.design_of(preset))

    def _trains(self, preset: str) -> Callable[[], None]:
        return lambda: self.train(self.design_of(preset))
