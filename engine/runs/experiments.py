"""The experiment of a run: its experiment.toml or, if that is missing, its first `run_started` event."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from engine.experiment.document import Experiment
from engine.experiment.draft import Draft, from_document, reads, source_text
from engine.experiment.mistakes import Mistake, Refused
from engine.experiment.paths import parse_path
from engine.experiment.toml import dumps, line_of
from engine.private_files import write_new
from engine.runs.paths import EXPERIMENT
from engine.runs.resumes import read_resumes
from engine.runs.run_state import read_run_started


def experiment_of(run: Path) -> Draft:
    """Read what a run trains: its document, with what each resume changed."""
    changes = [change for resume in read_resumes(run) for change in resume.overrides]
    try:
        text = _recorded(run) if lacks_experiment(run) else source_text(run / EXPERIMENT)
    except Refused as refused:
        return Draft(None, tuple(refused.mistakes))
    if isinstance(text, Mistake):
        return Draft(None, (text,))
    draft = reads(text, changes, origin=str(run / EXPERIMENT))
    return replace(draft, mistakes=with_file_lines(run, draft.mistakes, but=overridden_paths(changes)))


def experiment_at_start(run: Path, changes: Iterable[str] = ()) -> Experiment | None:
    """Read from its events what a run trained at its start, changed by `path=value`; None if they do not have it.

    Its experiment.toml may have been edited since.
    """
    try:
        draft = reads(_recorded(run), list(changes))
    except Refused:
        return None
    return draft.experiment if not draft.mistakes else None


def with_file_lines(run: Path, mistakes: Iterable[Mistake], but: Collection[str] = ()) -> tuple[Mistake, ...]:
    """Add the file and line to each mistake of a run's experiment, except to those of the paths `but`.

    torchdeck wrote the file, which may have a hundred lines, and a person edited it: the line helps to find the place.
    """
    file = run / EXPERIMENT
    text = None if lacks_experiment(run) else source_text(file)

    def placed(mistake: Mistake) -> Mistake:
        path = mistake.path
        # A mistake of the whole file names it already; the value of an overridden path is in no file.
        if parse_path(path) is None or any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in but):
            return mistake
        line = line_of(text, path) if isinstance(text, str) else None
        where = f"{file}, line {line}, {path}" if line is not None else f"{file}, {path}"
        return replace(mistake, path=where, remedy=None)

    return tuple(map(placed, mistakes))


def overridden_paths(overrides: Iterable[str]) -> frozenset[str]:
    """The paths of `path=value`."""
    return frozenset(override.partition("=")[0].strip() for override in overrides)


def lacks_experiment(run: Path) -> bool:
    """Whether a run has no experiment.toml.

    Raises:
        OSError: the folder cannot be read.
    """
    return not (run / EXPERIMENT).is_file()


def restore_experiment(run: Path) -> bool:
    """Write experiment.toml again if it is missing; returns whether it was.

    Raises:
        Refused: the events do not have the experiment, or the file cannot be written.
    """
    if not lacks_experiment(run):
        return False
    text = _recorded(run)
    try:
        write_new(run / EXPERIMENT, text.encode())
    except OSError as error:
        found = f"it cannot be written again ({error.strerror or error})"
        raise Refused(Mistake(str(run / EXPERIMENT), found, "", "Check that the run is yours.")) from error
    return True


def _recorded(run: Path) -> str:
    """The experiment of the first `run_started` event, as TOML."""
    try:
        started = read_run_started(run)
    except OSError as error:
        raise Refused(_missing(run, f"its events cannot be read ({error.strerror or error})")) from error
    draft = from_document(started.experiment) if started is not None else None
    if draft is None or draft.experiment is None or draft.mistakes:
        raise Refused(_missing(run, "its events do not have the complete experiment"))
    return dumps(draft.experiment)


def _missing(run: Path, why: str) -> Mistake:
    return Mistake(str(run / EXPERIMENT), "there is no such file", why, "Restore the file, or train another one.")
