"""The experiment of a run: its experiment.toml; where that is missing, what the run said when it began."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from engine.experiment.document import Experiment
from engine.experiment.draft import Draft, from_document, reads, source_text
from engine.experiment.mistakes import Mistake, Refused
from engine.experiment.overrides import parse_path
from engine.experiment.toml import dumps, line_of
from engine.runs.directory import EXPERIMENT, write_new
from engine.runs.facts import first_started
from engine.runs.resumes import read_resumes


def experiment_of(run: Path) -> Draft:
    """What a run trains: what was asked when it began, and what was changed each time that it was gone on with."""
    changes = [change for resume in read_resumes(run) for change in resume.overrides]
    try:
        text = _said(run) if is_missing(run) else source_text(run / EXPERIMENT)
    except Refused as refused:
        return Draft(None, tuple(refused.mistakes))
    if isinstance(text, Mistake):
        return Draft(None, (text,))
    draft = reads(text, changes, origin=str(run / EXPERIMENT))
    return replace(draft, mistakes=in_its_file(run, draft.mistakes, but=changed_places(changes)))


def as_it_began(run: Path, changes: Iterable[str] = ()) -> Experiment | None:
    """What a run said that it was when it began, with `path=value` that was changed since; None if it does not say.

    Its experiment.toml may have been edited by then.
    """
    try:
        draft = reads(_said(run), list(changes))
    except Refused:
        return None
    return draft.experiment if not draft.mistakes else None


def in_its_file(run: Path, mistakes: Iterable[Mistake], but: Collection[str] = ()) -> tuple[Mistake, ...]:
    """The mistakes of a run's experiment, each with its file and line; those of the places `but` as they are.

    The line says where to look in a file of a hundred that torchdeck has written, and somebody else has changed.
    """
    file = run / EXPERIMENT
    text = None if is_missing(run) else source_text(file)

    def placed(mistake: Mistake) -> Mistake:
        path = mistake.path
        # A mistake of the whole file names it already; what stands at a place that was changed stands in no file.
        if parse_path(path) is None or any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in but):
            return mistake
        line = line_of(text, path) if isinstance(text, str) else None
        where = f"{file}, line {line}, {path}" if line is not None else f"{file}, {path}"
        return replace(mistake, path=where, remedy=None)

    return tuple(map(placed, mistakes))


def changed_places(overrides: Iterable[str]) -> frozenset[str]:
    """The places that `path=value` are about."""
    return frozenset(override.partition("=")[0].strip() for override in overrides)


def is_missing(run: Path) -> bool:
    """Whether a run has no experiment.toml.

    Raises:
        OSError: that cannot be told.
    """
    return not (run / EXPERIMENT).is_file()


def restore_experiment(run: Path) -> bool:
    """Write experiment.toml again where it is missing; whether it was.

    Raises:
        Refused: the run does not say what it was, or the file cannot be written.
    """
    if not is_missing(run):
        return False
    text = _said(run)
    try:
        write_new(run / EXPERIMENT, text)
    except OSError as error:
        found = f"it cannot be written again ({error.strerror or error})"
        raise Refused(Mistake(str(run / EXPERIMENT), found, "", "Check that the run is yours.")) from error
    return True


def _said(run: Path) -> str:
    """What a run said that it was when it began, as TOML."""
    try:
        started = first_started(run)
    except OSError as error:
        raise Refused(_missing(run, f"its events cannot be read ({error.strerror or error})")) from error
    draft = from_document(started.experiment) if started is not None else None
    if draft is None or draft.experiment is None or draft.mistakes:
        raise Refused(_missing(run, "its events do not say whole what it was"))
    return dumps(draft.experiment)


def _missing(run: Path, why: str) -> Mistake:
    return Mistake(str(run / EXPERIMENT), "there is no such file", why, "Bring the file back, or train another one.")
