"""The runs of a deck: from the moment that one is asked for to its end, and the screens that show them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.experiment import Refused
from engine.protocol.commands import Hold, Simple
from engine.protocol.events import Finished, Reason
from tui.run_status import STATUS
from tui.services.background import Background, GivenUp
from tui.services.beginning import CHECKING, LOADING_TORCH, STARTING, Beginning
from tui.services.design import Design

if TYPE_CHECKING:
    from engine.plan import Plan
    from tui.deck.app import Deck
    from tui.feed import Source
    from tui.screens.train import TrainScreen
    from tui.services.producer import Run

SAID_S = 15.0
"""How long it is said what became of a run."""


class RunController:
    """Begins the runs of a deck, one at a time, and knows which train screen shows which run."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self._work = Background(deck, "start", self.read)
        self.runs: list[Run] = []
        """The runs that this process trained, the one that may still be going last."""
        self.watched: Path | None = None
        """The run of another process, or one that was over, that was opened last; none once one is trained here."""
        self.beginning: Beginning | None = None
        """The run that was asked for last, from before it starts."""
        self._begin: Callable[[], None] | None = None
        """What begins it, held back until the first frame is drawn."""
        self._run_mode: str | None = None
        self._view_mode: str | None = None
        self._shown_mode: str | None = None
        self._mark = ""
        """The sign that the headers show."""
        self._said: set[Path] = set()
        """The runs whose end was said."""

    @property
    def going(self) -> Run | None:
        """The run that this process trains now."""
        return self.runs[-1] if self.runs and self.runs[-1].alive else None

    @property
    def pending(self) -> Beginning | None:
        """The run that was asked for and has not started."""
        return self.beginning if self.beginning is not None and self.beginning.pending else None

    @property
    def mark(self) -> str:
        """How the run of this process stands, as one sign; nothing where there was none."""
        if self.pending is not None:
            return "◌"
        if not self.runs:
            return ""
        finished = self.runs[-1].finished
        if finished is None:
            return "●" if self.runs[-1].hold is None else "‖"
        return "" if finished.reason is Reason.DETACHED else STATUS[finished.reason.value].mark

    def close(self) -> bool:
        """Begin no more runs; whether one is being made."""
        self._work.close()
        return self._work.busy

    # From what was asked for to a run.

    def train(self, design: Design) -> None:
        """Show the train screen, and train a document once its plan is there; with mistakes, show those instead."""
        if self._busy():
            return
        if design.failure or (design.plan is not None and not design.plan.ok):
            self._show_mistakes(design)
            return
        beginning = self._expect(Beginning(design.name, design), CHECKING if design.plan is None else STARTING)

        def begin() -> None:
            if design.plan is not None:
                self._start(beginning, design.plan)
            else:
                self._deck.check(design)

        self._when_drawn(begin)

    def resume(self, path: Path, overrides: tuple[str, ...] = (), *, hold: Hold | None = None) -> None:
        """Show the train screen, and resume a run in this process."""
        if self._busy():
            return
        beginning = self._expect(Beginning(path.name), STARTING)
        producer = self._deck.producer

        def begin() -> None:
            self._make(beginning, producer.load_torch, lambda: producer.resume(path, overrides, hold=hold))

        self._when_drawn(begin)

    def begin_work(self) -> None:
        """The first frame is drawn: begin what was asked for on the command line."""
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()

    def checked(self, design: Design) -> None:
        """A document was checked: train it, if that is what was asked for."""
        pending = self.pending
        if pending is None or pending.design is not design or pending.starting:
            return
        if design.plan is not None and design.plan.ok:
            self._start(pending, design.plan)
            return
        pending.over = True
        on_screen = self._deck.current_mode == self._run_mode
        mode, self._run_mode = self._run_mode, None
        if on_screen or self._deck.design is design:
            self._show_mistakes(design)
        else:
            said = f"{design.name} was not trained. {_in_the_way(design)}"
            self._deck.notify(said, severity="error", timeout=SAID_S, markup=False)
        if mode is not None:
            self._drop(mode)
        self._deck.run_changed()

    def changed(self, design: Design) -> None:
        """A document was changed: what was asked for was another one."""
        pending = self.pending
        if pending is not None and pending.design is design and pending.draft is not design.draft:
            self.cancel()
            self._deck.notify("Not trained: the document was changed. t trains it.", markup=False)

    def cancel(self) -> None:
        """Give up the run that was asked for, if it has not started."""
        if (pending := self.pending) is not None:
            self._work.give_up()
            pending.stopped()
            self._deck.run_changed()

    def _busy(self) -> bool:
        """Whether a run is going or about to start; it is shown instead."""
        if self.going is not None:
            said = f"{self.going.directory.name} is training. Stop it first."
        elif self.pending is not None:
            said = f"{self.pending.name} is about to start. Stop it first."
        else:
            return False
        self._deck.notify(said, severity="warning", markup=False)
        self.show_last()
        return True

    def _expect(self, beginning: Beginning, waits_for: str) -> Beginning:
        """Show the train screen of a run that was asked for."""
        self.beginning = beginning
        beginning.wait_for(waits_for if self._deck.torch_is_there else LOADING_TORCH)
        self._run_mode = self._show(beginning, beginning.name, instead_of=self._run_mode, design=beginning.design)
        self._deck.run_changed()
        return beginning

    def _when_drawn(self, begin: Callable[[], None]) -> None:
        if self._deck.first_frame:
            begin()
        else:
            self._begin = begin

    def _start(self, beginning: Beginning, plan: Plan) -> None:
        for what in plan.downloads or (STARTING,):
            if what != beginning.waits_for:
                beginning.wait_for(what)
        producer, runs_dir = self._deck.producer, self._deck.runs_dir
        self._make(beginning, lambda: None, lambda: producer.start(plan, runs_dir))

    def _make(self, beginning: Beginning, prepare: Callable[[], None], make: Callable[[], Run]) -> None:
        def work() -> Run:
            prepare()
            if beginning.over:
                raise GivenUp
            beginning.starting = True
            return make()

        self._work.submit(work, lambda result: self._made(beginning, result))

    def _made(self, beginning: Beginning, result: Run | Exception) -> None:
        beginning.starting = False
        if isinstance(result, Exception):
            if not beginning.over:
                beginning.refused(_sentences(result))
                self._say_elsewhere("Not trained", f"{beginning.name} did not start.", failed=True)
        else:
            self._deck.torch_was_loaded()
            self.runs.append(result)
            self.watched = None
            if beginning.over:
                result.send(Simple(command="stop"))
            else:
                beginning.began(result)
        self._deck.run_changed()

    def read(self, text: str) -> None:
        """Data is being read or downloaded, by a check or for a run."""
        if (pending := self.pending) is not None:
            pending.wait_for("", detail=text)

    def _show_mistakes(self, design: Design) -> None:
        self._deck.open_design(design)
        self._deck.notify(_in_the_way(design), severity="error", timeout=SAID_S, markup=False)

    # Screens.

    def open_run(self, path: Path) -> None:
        """Show a run: of this process, of another one, or one that is over."""
        if self.runs and self.runs[-1].directory.resolve() == path.resolve() and self._run_mode is not None:
            self._shown_mode = self._run_mode
            self._deck.switch_mode(self._run_mode)
        else:
            self.watched = path
            source = self._deck.producer.follow(path)
            self._view_mode = self._show(source, path.name, instead_of=self._view_mode, directory=path)

    def show_last(self) -> None:
        """Show the run that is going or about to start; else the one looked at last."""
        mode = self._run_mode if self.going is not None or self.pending is not None else self._shown_mode
        if mode is None:
            self._deck.notify("Nothing is training yet. Choose a preset and press t.", markup=False)
        else:
            self._deck.switch_mode(mode)

    def _show(
        self,
        source: Source,
        name: str,
        *,
        instead_of: str | None,
        design: Design | None = None,
        directory: Path | None = None,
    ) -> str:
        mode = f"train {name} {id(source)}"
        self._deck.add_mode(mode, lambda: self._screen(source, name, design, directory))
        self._shown_mode = mode
        self._deck.switch_mode(mode)
        if instead_of is not None:
            self._deck.remove_mode(instead_of)
        return mode

    def _drop(self, mode: str) -> None:
        """Forget a screen that will show no run."""
        if self._shown_mode == mode:
            self._shown_mode = self._view_mode
        if self._deck.current_mode != mode:
            self._deck.remove_mode(mode)

    def _screen(self, source: Source, name: str, design: Design | None, directory: Path | None) -> TrainScreen:
        # Its module is loaded when the first one is opened.
        from tui.screens.train import TrainScreen

        return TrainScreen(source, run_name=name, design=design, directory=directory)

    # After the end of a run.

    def again(self, screen: TrainScreen) -> None:
        """Train what a train screen shows once more, as a new run."""
        if (design := self._design_of(screen)) is not None:
            self.train(design)

    def edit(self, screen: TrainScreen) -> None:
        """Open the document that a run was made from."""
        if (design := self._design_of(screen)) is not None:
            self._deck.open_design(design)

    def _design_of(self, screen: TrainScreen) -> Design | None:
        """The document of a run: the one that it was trained from here, else the one in its directory."""
        if screen.design is None and screen.run_directory is not None:
            file = screen.run_directory / "experiment.toml"
            try:
                screen.design = Design(self._deck.producer.read(str(file)), str(file))
            except (Refused, OSError) as error:
                self._deck.notify(f"{file} cannot be read: {error}", severity="error", markup=False)
        return screen.design

    def look(self) -> None:
        """Say that a run has ended where its screen is not shown; leave the deck to a run that was detached."""
        if self.mark != self._mark:
            self._mark = self.mark
            self._deck.run_changed()
        run = self.runs[-1] if self.runs else None
        if run is None or run.finished is None or run.directory in self._said:
            return
        self._said.add(run.directory)
        if run.finished.reason is Reason.DETACHED:
            self._deck.exit()
            return
        self._deck.leaving.run_ended()
        self._say_end(run, run.finished)

    def _say_end(self, run: Run, finished: Finished) -> None:
        how = STATUS[finished.reason.value].word
        said = f"{run.directory.name}: {finished.message}"
        self._say_elsewhere(f"Run {how}", said, failed=finished.reason is Reason.FAILED)

    def _say_elsewhere(self, title: str, said: str, *, failed: bool) -> None:
        """Say something of the run of this process where its screen is not shown."""
        if self._deck.current_mode == self._run_mode:
            return
        key = self._deck.key_of("deck.train")
        self._deck.notify(
            f"{said}\n{key} shows it.",
            title=title,
            severity="error" if failed else "information",
            timeout=SAID_S,
            markup=False,
        )


def _in_the_way(design: Design) -> str:
    """Why a document cannot be trained."""
    if design.failure or design.plan is None:
        return design.failure
    wrong = sum(mistake.severity == "error" for mistake in design.plan.mistakes)
    return f"{wrong} mistakes are in the way of training." if wrong > 1 else "A mistake is in the way of training."


def _sentences(error: Any) -> list[str]:
    if isinstance(error, Refused):
        return [str(mistake) for mistake in error.mistakes]
    return [f"{type(error).__name__}: {error}"]
