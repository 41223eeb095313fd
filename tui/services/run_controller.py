"""The runs of a deck, from the request for a run to its end, and the screens that show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import App
from textual.screen import Screen
from textual.signal import Signal

from engine import Finished, PauseMode, Reason, Refused, Simple
from tui.run_status import STATUS
from tui.services.background import Background, Cancelled
from tui.services.design import Design
from tui.services.documents import Documents
from tui.services.plans import PlanService
from tui.services.producer import Producer, Run
from tui.services.requested_run import CHECKING, LOADING_TORCH, STARTING, RequestedRun

if TYPE_CHECKING:
    from engine import Plan, RunSummary
    from tui.feed import Source

NOTIFY_S = 15.0
"""How long a notification about a run stays."""


class RunScreen(Protocol):
    """Makes the screen of a run."""

    def __call__(
        self, source: Source, run_name: str, *, design: Design | None, directory: Path | None
    ) -> Screen[None]: ...


@dataclass(frozen=True, slots=True)
class ListedRuns:
    """The runs in the run directory, or a sentence that says why they cannot be listed."""

    runs: list[RunSummary]
    problem: str = ""


class RunController:
    """Starts, resumes, watches and lists runs. This process trains at most one at a time.

    Args:
        runs_dir: the folder where runs are listed and created.
        screen_of: makes the screen of a run.
        key: the key that shows the run, for notifications.
    """

    def __init__(
        self,
        app: App[Any],
        producer: Producer,
        plans: PlanService,
        documents: Documents,
        runs_dir: Path,
        screen_of: RunScreen,
        *,
        key: str,
    ) -> None:
        self._app = app
        self._producer = producer
        self._plans = plans
        self._documents = documents
        self._runs_dir = runs_dir
        self._screen_of = screen_of
        self._key = key
        self.changed: Signal[None] = Signal(app, "run changed")
        """Published when the run of this process starts, pauses or ends."""
        self.listed: Signal[ListedRuns] = Signal(app, "runs listed")
        """Published when the list of runs was read."""
        self.runs: list[Run] = []
        """The runs that this process trained. The last one may be active."""
        self.watched: Path | None = None
        """The run of another process, or a run that had ended, that was opened last. None once one is trained here."""
        self.requested: RequestedRun | None = None
        """The run that was requested last."""
        self._work = Background(app, "start", self.reading)
        self._lists = Background(app, "runs")
        self._begun = False
        self._start_later: Callable[[], None] | None = None
        """Starts the run that was requested before the first frame."""
        self._run_mode: str | None = None
        self._view_mode: str | None = None
        self._shown_mode: str | None = None
        self._mark = ""
        """The mark that the headers show."""
        self._announced: set[Path] = set()
        """The runs whose end was announced."""
        plans.user = self

    @property
    def active(self) -> Run | None:
        """The run that this process trains now."""
        return self.runs[-1] if self.runs and self.runs[-1].alive else None

    @property
    def pending(self) -> RequestedRun | None:
        """The run that was requested and has not started."""
        return self.requested if self.requested is not None and self.requested.pending else None

    @property
    def mark(self) -> str:
        """The state of the run of this process as one character; empty if there was no run."""
        if self.pending is not None:
            return "◌"
        if not self.runs:
            return ""
        finished = self.runs[-1].finished
        if finished is None:
            return "●" if self.runs[-1].pause_mode is None else "‖"
        return "" if finished.reason is Reason.DETACHED else STATUS[finished.reason.value].mark

    def close(self) -> bool:
        """Start no more work; returns whether a run is being created or runs are being listed."""
        self._work.close()
        self._lists.close()
        return self._work.busy or self._lists.busy

    # From a request to a run.

    def train(self, design: Design) -> None:
        """Show the train screen, and train a document once its plan is ready. With mistakes, show those instead."""
        if self._show_if_busy():
            return
        if design.failure or (design.plan is not None and not design.plan.ok):
            self._show_mistakes(design)
            return
        requested = self._request(RequestedRun(design.name, design), CHECKING if design.plan is None else STARTING)

        def start() -> None:
            if design.plan is not None:
                self._start(requested, design.plan)
            else:
                self._plans.check(design)

        self._after_first_frame(start)

    def resume(self, path: Path, overrides: tuple[str, ...] = (), *, pause_mode: PauseMode | None = None) -> None:
        """Show the train screen, and resume a run in this process."""
        if self._show_if_busy():
            return
        requested = self._request(RequestedRun(path.name), STARTING)
        producer = self._producer

        def start() -> None:
            self._create(
                requested, producer.load_torch, lambda: producer.resume(path, overrides, pause_mode=pause_mode)
            )

        self._after_first_frame(start)

    def begin(self) -> None:
        """Start the run that the command line requested: the first frame is on the screen."""
        self._begun = True
        self.read_list()
        start, self._start_later = self._start_later, None
        if start is not None:
            start()

    @property
    def awaited(self) -> Design | None:
        """See PlanUser."""
        return self.pending.design if self.pending is not None else None

    @property
    def blocks_checks(self) -> bool:
        """See PlanUser."""
        return self.pending is not None

    def plan_made(self, design: Design) -> None:
        """Train the document that was checked, if a run waits for it."""
        pending = self.pending
        if pending is None or pending.design is not design or pending.starting:
            return
        if design.plan is not None and design.plan.ok:
            self._start(pending, design.plan)
            return
        pending.ended = True
        on_screen = self._app.current_mode == self._run_mode
        mode, self._run_mode = self._run_mode, None
        if on_screen or self._documents.current is design:
            self._show_mistakes(design)
        else:
            sentence = f"{design.name} was not trained. {_obstacle(design)}"
            self._app.notify(sentence, severity="error", timeout=NOTIFY_S, markup=False)
        if mode is not None:
            self._remove_mode(mode)
        self.changed.publish(None)

    def check_requested(self, design: Design) -> None:
        """Cancel a run whose document was changed: another document was requested."""
        pending = self.pending
        if pending is not None and pending.design is design and pending.draft is not design.draft:
            self.cancel()
            self._app.notify("Not trained: the document was changed. Press t to train it.", markup=False)

    def cancel(self) -> None:
        """Cancel the requested run, if it has not started."""
        if (pending := self.pending) is not None:
            self._work.cancel()
            pending.cancelled()
            self.changed.publish(None)

    def _show_if_busy(self) -> bool:
        """Whether a run is active or about to start; if so, show it."""
        if self.active is not None:
            sentence = f"{self.active.directory.name} is training. Stop it first."
        elif self.pending is not None:
            sentence = f"{self.pending.name} is about to start. Stop it first."
        else:
            return False
        self._app.notify(sentence, severity="warning", markup=False)
        self.show_last()
        return True

    def _request(self, requested: RequestedRun, waits_for: str) -> RequestedRun:
        """Show the train screen of a requested run."""
        self.requested = requested
        requested.wait_for(waits_for if self._plans.torch_loaded else LOADING_TORCH)
        self._run_mode = self._show(requested, requested.name, instead_of=self._run_mode, design=requested.design)
        self.changed.publish(None)
        return requested

    def _after_first_frame(self, start: Callable[[], None]) -> None:
        if self._begun:
            start()
        else:
            self._start_later = start

    def _start(self, requested: RequestedRun, plan: Plan) -> None:
        for what in plan.downloads or (STARTING,):
            if what != requested.waits_for:
                requested.wait_for(what)
        producer, runs_dir = self._producer, self._runs_dir
        self._create(requested, lambda: None, lambda: producer.start(plan, runs_dir))

    def _create(self, requested: RequestedRun, prepare: Callable[[], None], create: Callable[[], Run]) -> None:
        def work() -> Run:
            prepare()
            if requested.ended:
                raise Cancelled
            requested.starting = True
            return create()

        self._work.submit(work, lambda result: self._created(requested, result))

    def _created(self, requested: RequestedRun, result: Run | Exception) -> None:
        requested.starting = False
        if isinstance(result, Exception):
            if not requested.ended:
                requested.refused(_sentences(result))
                self._notify_elsewhere("Not trained", f"{requested.name} did not start.", failed=True)
        else:
            self._plans.torch_was_loaded()
            self.runs.append(result)
            self.watched = None
            if requested.ended:
                result.send(Simple(command="stop"))
            else:
                requested.started(result)
        self.changed.publish(None)

    def reading(self, text: str) -> None:
        """Show in the requested run that data is being read or downloaded."""
        if (pending := self.pending) is not None:
            pending.wait_for("", detail=text)

    def _show_mistakes(self, design: Design) -> None:
        self._documents.open(design)
        self._app.notify(_obstacle(design), severity="error", timeout=NOTIFY_S, markup=False)

    # Screens.

    def open_run(self, path: Path) -> None:
        """Show a run: of this process, of another process, or one that has ended."""
        if self.runs and self.runs[-1].directory.resolve() == path.resolve() and self._run_mode is not None:
            self._shown_mode = self._run_mode
            self._app.switch_mode(self._run_mode)
        else:
            self.watched = path
            source = self._producer.follow(path)
            self._view_mode = self._show(source, path.name, instead_of=self._view_mode, directory=path)

    def show_last(self) -> None:
        """Show the run that is active or about to start, or else the run that was shown last."""
        mode = self._run_mode if self.active is not None or self.pending is not None else self._shown_mode
        if mode is None:
            self._app.notify("No run yet. Choose a preset and press t.", markup=False)
        else:
            self._app.switch_mode(mode)

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
        self._app.add_mode(mode, lambda: self._screen_of(source, name, design=design, directory=directory))
        self._shown_mode = mode
        self._app.switch_mode(mode)
        if instead_of is not None:
            self._app.remove_mode(instead_of)
        return mode

    def _remove_mode(self, mode: str) -> None:
        """Remove a screen that will show no run."""
        if self._shown_mode == mode:
            self._shown_mode = self._view_mode
        if self._app.current_mode != mode:
            self._app.remove_mode(mode)

    def read_list(self) -> None:
        """Read the list of runs on a thread."""
        if self._begun and not self._lists.busy:
            self._lists.submit(lambda: self._producer.runs(self._runs_dir), self._listed)

    def _listed(self, result: list[RunSummary] | Exception) -> None:
        problem = str(result) if isinstance(result, Exception) else ""
        self.listed.publish(ListedRuns([] if isinstance(result, Exception) else result, problem))

    # After the end of a run.

    def document_of(self, directory: Path) -> Design | None:
        """Read the document in a run's directory; if it cannot be read, notify and return None."""
        file = directory / "experiment.toml"
        try:
            return Design(self._producer.read(str(file)), str(file))
        except (Refused, OSError) as error:
            self._app.notify(f"{file} cannot be read: {error}", severity="error", markup=False)
            return None

    def poll(self) -> None:
        """Check whether the run of this process changed: announce its end, or exit if it was detached."""
        if self.mark != self._mark:
            self._mark = self.mark
            self.changed.publish(None)
        run = self.runs[-1] if self.runs else None
        if run is None or run.finished is None or run.directory in self._announced:
            return
        self._announced.add(run.directory)
        if run.finished.reason is Reason.DETACHED:
            self._app.exit()
        else:
            self._announce_end(run, run.finished)

    def _announce_end(self, run: Run, finished: Finished) -> None:
        how = STATUS[finished.reason.value].word
        sentence = f"{run.directory.name}: {finished.message}"
        self._notify_elsewhere(f"Run {how}", sentence, failed=finished.reason is Reason.FAILED)

    def _notify_elsewhere(self, title: str, sentence: str, *, failed: bool) -> None:
        """Notify about the run of this process, unless its screen is shown."""
        if self._app.current_mode == self._run_mode:
            return
        self._app.notify(
            f"{sentence}\nPress {self._key} to show it.",
            title=title,
            severity="error" if failed else "information",
            timeout=NOTIFY_S,
            markup=False,
        )


def _obstacle(design: Design) -> str:
    """Why a document cannot be trained."""
    if design.failure or design.plan is None:
        return design.failure
    errors = sum(mistake.severity == "error" for mistake in design.plan.mistakes)
    return (
        f"{errors} mistakes must be corrected before training."
        if errors > 1
        else "A mistake must be corrected before training."
    )


def _sentences(error: Exception) -> list[str]:
    if isinstance(error, Refused):
        return [str(mistake) for mistake in error.mistakes]
    return [f"{type(error).__name__}: {error}"]
