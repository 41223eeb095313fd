"""The one door from the deck to the engine: what the screens show and start comes through here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.experiment import Draft, Preset, Refused, presets, read
from engine.training.commands import Command
from engine.training.events import Event, Finished
from tui.explanations import Explained, field_defaults

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.runs import Follower, RunSummary


class Run(Protocol):
    """A run of this process, as the deck knows it; a `Session` is one."""

    @property
    def directory(self) -> Path: ...
    @property
    def alive(self) -> bool: ...
    @property
    def finished(self) -> Finished | None: ...
    def drain(self) -> list[Event]: ...
    def send(self, command: Command) -> object: ...
    def join(self, timeout_s: float | None = None) -> object: ...
    def interrupt(self) -> None: ...


class Producer:
    """The engine. Nothing of torch is imported before `plan_of` is called, which the deck does on a thread."""

    def presets(self) -> tuple[Preset, ...]:
        """The experiments that come with torchdeck."""
        return presets()

    def read(self, preset_or_file: str) -> Draft:
        """The document of a preset or a file."""
        return read(preset_or_file)

    def plan_of(self, draft: Draft) -> Plan:
        """The plan of a document. Imports torch; takes seconds the first time."""
        # What the screens explain must be there before torch begins to load: an import that they wait for, behind a
        # lock that this thread holds, would hold up the keys.
        from engine.catalog import KINDS, catalog
        from engine.data import sources  # noqa: F401

        for kind in KINDS:
            catalog(kind)
        from engine.plan import check

        return check(draft)

    def runs(self, runs_dir: Path) -> list[RunSummary]:
        """The runs in a directory, the newest first; none where there is no such directory."""
        from engine.runs import list_runs

        return list_runs(runs_dir) if runs_dir.is_dir() else []

    def explain(self, kind: str, name: str, *, parameters: bool) -> Explained | None:
        """What an entry of the catalog or a data source is; its `parameters` on request, since that imports torch."""
        if kind == "sources":
            from engine.data.sources import SOURCES

            source = SOURCES.get(name)
            if source is None:
                return None
            return Explained(name=name, summary=source.summary, when=source.when, defaults=field_defaults(source))
        from engine.catalog import find

        try:
            entry = find(kind, name)
        except Refused:
            return None
        defaults = {}
        if parameters:
            for parameter in entry.parameters.values():
                defaults[parameter.name] = (
                    "inferred" if parameter.inferred else "required" if parameter.required else parameter.default
                )
        return Explained(
            name=name, torch_name=entry.torch_name, summary=entry.summary, when=entry.when, defaults=defaults
        )

    def start(self, plan: Plan, runs_dir: Path) -> Run:
        """Begin to train.

        Raises:
            Refused: the run cannot begin, as where its directory cannot be written.
        """
        from engine.training.session import Session

        session = Session(plan, runs_dir=runs_dir)
        session.start()
        return session

    def resume(self, path: Path) -> Run:
        """Go on with a run from its newest checkpoint.

        Raises:
            Refused: there is nothing to go on from.
        """
        from engine.training.session import Session

        session = Session.resumed(path)
        session.start()
        return session

    def follow(self, path: Path) -> Follower:
        """A run of another process, or one that has ended."""
        from engine.runs import Follower

        return Follower(path)
