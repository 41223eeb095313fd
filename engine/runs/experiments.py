"""The experiment of a run: its experiment.toml; where that is missing, what the run said when it began."""

from __future__ import annotations

from pathlib import Path

from engine.experiment.draft import Draft, from_document, reads, source_text
from engine.experiment.mistakes import Mistake, Refused
from engine.experiment.toml import dumps
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
    return Draft(None, (text,)) if isinstance(text, Mistake) else reads(text, changes, origin=str(run / EXPERIMENT))


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
    return Mistake(str(run / EXPERIMENT), "there is no such file", why, "Bring the file back, or start the run anew.")
