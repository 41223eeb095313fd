"""The deck's access to the engine: everything that screens show and start comes through here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from engine import Command, Draft, Event, Experiment, Finished, Mistake, PauseMode, Preset, ProbeRecord, Refused
from tui.rows.explanations import Explained
from tui.rows.picker import Item
from tui.services.probe_thread import Probe, ProbeThread, Records, Stop

if TYPE_CHECKING:
    from engine import (
        DataPreview,
        DeviceInfo,
        Follower,
        FormField,
        LossCurve,
        Penalties,
        Plan,
        PrecisionChoice,
        RunSummary,
        Session,
        Span,
    )
    from tui.pictures import Findings

ProbeKind = Literal["rate", "gradients", "one-batch"]


class Run(Protocol):
    """A run of this process, as the deck uses it; a `Session` is one."""

    @property
    def directory(self) -> Path: ...
    @property
    def alive(self) -> bool: ...
    @property
    def pause_mode(self) -> PauseMode | None: ...

    @property
    def commands_read(self) -> int: ...
    @property
    def finished(self) -> Finished | None: ...
    @property
    def stale(self) -> bool: ...
    @property
    def suspended(self) -> bool: ...
    def drain(self) -> list[Event]: ...
    def send(self, command: Command) -> object: ...
    def join(self, timeout_s: float | None = None) -> object: ...
    def interrupt(self) -> None: ...


class Producer:
    """The engine. torch is not imported before `plan_of` is called, which the deck does on a thread."""

    _starting = threading.Lock()
    """Locked while a run starts: torch has one random generator for the whole process."""
    _run: Run | None = None
    _probe: Probe | None = None

    def presets(self) -> tuple[Preset, ...]:
        """Return the experiments that torchdeck includes."""
        from engine import presets

        return presets()

    def read(self, preset_or_file: str) -> Draft:
        """Read the document of a preset or file."""
        from engine import read_document

        return read_document(preset_or_file)

    def plan_of(self, draft: Draft) -> Plan:
        """Check a document and return its plan. Imports torch, which takes seconds the first time."""
        # What screens explain must be imported before torch: otherwise their import would wait for a lock that this
        # thread holds, and delay the keys.
        from engine import CATALOG_KINDS, catalog_entries

        for kind in CATALOG_KINDS:
            catalog_entries(kind)
        from engine import check

        return check(draft)

    def runs(self, runs_dir: Path) -> list[RunSummary]:
        """Return the runs in a folder, the newest first; an empty list if the folder does not exist.

        Raises:
            Refused: the folder cannot be read.
        """
        from engine import list_runs

        return list_runs(runs_dir)

    def explain(self, kind: str, name: str) -> Explained | None:
        """Explain an entry of the catalog or a data source."""
        if kind == "sources":
            from engine import DATA_SOURCES

            source = DATA_SOURCES.get(name)
            return None if source is None else Explained(name=name, summary=source.summary, when=source.when)
        from engine import catalog_entries

        entry = catalog_entries(kind).get(name)
        if entry is None:
            return None
        return Explained(
            name=name,
            torch_name=entry.torch_name,
            summary=entry.summary,
            when=entry.when,
            when_not=entry.when_not,
            formula=entry.formula,
        )

    def items(self, kind: str, task: str | None = None) -> list[Item]:
        """Return the choices of a kind; of losses and metrics only those for the task, if it is known."""
        if kind == "sources":
            from engine import DATA_SOURCES

            return [Item(name, source.summary) for name, source in DATA_SOURCES.items()]
        from engine import catalog_entries

        return [
            Item(entry.name, entry.summary, entry.group)
            for entry in catalog_entries(kind).values()
            if task is None or not entry.tasks or task in entry.tasks
        ]

    def form(self, place: str, draft: Draft, plan: Plan | None, *, parameters: bool) -> tuple[FormField, ...]:
        """Return the fields of a part or a layer, with the catalog's `parameters` if requested; those import torch."""
        from engine import form_fields, order_of_classes

        fields = form_fields(place, draft, plan.experiment if plan is not None else None, parameters=parameters)
        if place != "loss" or plan is None or plan.description is None:
            return fields
        classes = plan.description.classes
        return tuple(replace(f, help=f"{f.help} {order_of_classes(f.name, classes)}".strip()) for f in fields)

    def new_choice(self, kind: str, name: str) -> Any:
        """Return an entry of the catalog as it is written into a document."""
        from engine import new_choice

        return new_choice(kind, name)

    def apply_fix(self, text: str, mistake: Mistake) -> str | None:
        """Return the document with a mistake's fix applied; None if the fix cannot be applied."""
        from engine import apply_fix

        return apply_fix(text, mistake)

    def insertion(self, experiment: Experiment, at: Span) -> tuple[Mapping[str, str], str]:
        """Return why each layer does not fit at a position, and the input there. Takes tens of milliseconds."""
        from engine import input_text, insertion_problems

        return insertion_problems(experiment, at), input_text(experiment, at)

    def findings(self, part: str, plan: Plan) -> Findings:
        """Find out what a part's picture shows besides the plan. It can take seconds, so call it on a thread."""
        from tui.pictures import Findings

        match part:
            case "data":
                return Findings(preview=self.preview(plan))
            case "loss":
                return Findings(loss_curve=self.loss_curve(plan))
            case "regularization":
                return Findings(penalties=self.penalties(plan))
            case "device":
                return Findings(devices=self.devices(), precisions=self.precisions(plan))
        return Findings()

    def preview(self, plan: Plan) -> DataPreview | None:
        """Return samples of a plan's data; None if it cannot be read, which the plan's mistakes report."""
        from engine import preview_data

        try:
            return preview_data(plan.experiment.data, plan.experiment.seed) if plan.description is not None else None
        except Refused:
            return None

    def loss_curve(self, plan: Plan) -> LossCurve | None:
        """Return a plan's loss as a function of the prediction; None if a mistake prevents that."""
        from engine import loss_curve

        choice, description = plan.experiment.loss, plan.description
        if description is None or any(m.severity == "error" and m.path.startswith("loss") for m in plan.mistakes):
            return None
        data = self.preview(plan) if "balanced" in choice.parameters.values() else None
        return loss_curve(choice, description, data.train_counts if data is not None else ())

    def penalties(self, plan: Plan) -> Penalties | None:
        """Return what l1 and l2 add to the loss at the start; None without them, or if the plan has errors."""
        from engine import penalties_at_start

        if not plan.ok or plan.description is None:
            return None
        return penalties_at_start(plan.experiment, plan.description)

    def devices(self) -> tuple[DeviceInfo, ...]:
        """Return the devices of this machine."""
        from engine import list_devices

        return list_devices()

    def precisions(self, plan: Plan) -> tuple[PrecisionChoice, ...]:
        """Return what each choice of mixed precision would do on the plan's device."""
        from engine import precision_choices

        return precision_choices(plan.experiment)

    def load_torch(self) -> None:
        """Import torch and the training code, which takes seconds the first time."""
        from engine import Session  # noqa: F401

    def start(self, plan: Plan, runs_dir: Path) -> Run:
        """Start training.

        Raises:
            Refused: the run cannot start, for example because its directory cannot be written.
        """
        from engine import Session

        return self._begin(lambda: Session.create(plan, runs_dir=runs_dir))

    def resume(self, path: Path, overrides: tuple[str, ...] = (), *, pause_mode: PauseMode | None = None) -> Run:
        """Resume a run from its newest checkpoint, with the changes in `overrides` (`path=value`).

        Args:
            pause_mode: pause the run in this way before its first step.

        Raises:
            Refused: there is no checkpoint to resume from, or an override is not possible.
        """
        from engine import Session

        return self._begin(lambda: Session.resume(path, overrides), pause_mode=pause_mode)

    def follow(self, path: Path) -> Follower:
        """Watch a run of another process, or one that has ended."""
        from engine import Follower

        return Follower(path)

    def probe(self, kind: ProbeKind, plan: Plan) -> Probe:
        """Start a rate finder, a gradient check or a one-batch test on a thread.

        There is one probe at a time, and none while this process trains: such a probe fails immediately. An active
        probe is stopped before a run starts.
        """
        before = self._probe
        if before is not None:
            before.stop()
        if not self._starting.acquire(blocking=False):
            return ProbeThread(_refused)
        try:
            if self._run is not None and self._run.alive:
                return ProbeThread(_refused)
            self._probe = ProbeThread(probe_records(kind, plan), after=before)
            return self._probe
        finally:
            self._starting.release()

    def _begin(self, make: Callable[[], Session], *, pause_mode: PauseMode | None = None) -> Session:
        with self._starting:
            if self._probe is not None:
                self._probe.stop(None)
                self._probe = None
            session = make()
            session.start(pause_mode=pause_mode)
            self._run = session
        return session


def _refused(stop: Stop) -> Iterator[ProbeRecord]:
    found, fix = "a run trains in this process", "Wait for its end, or stop it."
    raise Refused(Mistake("probe", found, "a probe would change its random numbers", fix))


def probe_records(kind: ProbeKind, plan: Plan) -> Records:
    """Return the function that starts a probe of this kind. Imports torch."""
    from engine import check_gradients, find_rate, memorise_batch

    if kind == "rate":
        return lambda stop: find_rate(plan)
    if kind == "gradients":
        return lambda stop: check_gradients(plan, stop=stop)
    return lambda stop: memorise_batch(plan)
