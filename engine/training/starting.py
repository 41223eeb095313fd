"""What happens before a session exists: data and weights are downloaded, the run directory is created or taken over.

All of it runs in the caller's thread, so a user sees each mistake before training starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.data import Dataset, data_manifest, load_data
from engine.data import fetch as fetch_data
from engine.data.recorded import NOTHING_RECORDED
from engine.experiment import Mistake, Refused, dumps
from engine.model.published_weights import download_weights
from engine.plan import Plan, check
from engine.runs import RunDirectory
from engine.runs.paths import retrain_command
from engine.training.resuming import Resumption, resumption
from engine.training.runtime_config import describe_environment


@dataclass(slots=True, kw_only=True)
class PreparedRun:
    """A run that a session can start."""

    plan: Plan
    directory: RunDirectory
    resumption: Resumption | None = None
    """How the run resumes; None for a new run."""
    dataset: Dataset | None = None
    """The data, if they are read already."""

    def read_data(self) -> Dataset:
        """Return the data; read them if they are not read yet.

        Raises:
            Refused, OSError: The data cannot be read.
        """
        if self.dataset is None:
            recorded = data_manifest.recorded(self.directory.path) if self.resumption is not None else NOTHING_RECORDED
            self.dataset = load_data(self.plan.experiment.data, self.plan.experiment.seed, recorded)
        return self.dataset


def prepare_new(plan: Plan, runs_dir: Path) -> PreparedRun:
    """Download what is missing, and create the directory of a new run in `runs_dir`.

    Raises:
        Refused: The plan has errors, published weights cannot be downloaded, or the directory cannot be created.
    """
    plan = _with_data(plan)
    download_weights(plan.experiment.model.layers)
    text = dumps(plan.experiment)
    directory = RunDirectory.create(runs_dir, plan.experiment.name, text, describe_environment(plan))
    return PreparedRun(plan=plan, directory=directory)


def prepare_resumed(run: Path, overrides: Sequence[str], *, commands_read: int | None = None) -> PreparedRun:
    """Lock a run, find its newest intact checkpoint, read its data and compare them with those that it began with.

    Args:
        run: The directory of the run.
        overrides: `path=value`, for the fields that a resumed run may change; see `resuming`.
        commands_read: How much of `commands.jsonl` an earlier session has read, if it passes the run to this one.

    Raises:
        Refused: There is no such run, it is active, it has no intact checkpoint, its data differ, or an override has a
            mistake or changes what the checkpoint does not allow.
    """
    directory = RunDirectory.open(run, commands_read=commands_read)  # from here on no other process can resume it
    try:
        resumed = resumption(directory, overrides)
        prepared = PreparedRun(plan=_with_data(resumed.plan), directory=directory, resumption=resumed)
        _require_same_data(prepared)
        directory.take_over()
    except BaseException:
        directory.close()
        raise
    return prepared


def _with_data(plan: Plan) -> Plan:
    """Download missing data; return the plan of the data that were downloaded."""
    _require_ok(plan)
    if fetch_data(plan.experiment.data):
        plan = check(plan.experiment)
        _require_ok(plan)
    return plan


def _require_ok(plan: Plan) -> None:
    if not plan.ok:
        raise Refused(mistake for mistake in plan.mistakes if mistake.severity == "error")


def _require_same_data(prepared: PreparedRun) -> None:
    """Read the data, and compare them with the data of the run.

    Raises:
        Refused: The data differ, or the run's record of them is damaged.
    """
    run = prepared.directory.path
    try:
        dataset = prepared.read_data()
    except Refused:
        raise
    except Exception:
        return  # The session reads the data again, and records the error and its traceback.
    if different := data_manifest.difference(dataset, run):
        fix = f"Restore the data, or train again from the start: `{retrain_command(run)}`."
        raise Refused(Mistake(str(run), different.removesuffix("."), "", fix))
