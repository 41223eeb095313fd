"""Resumes a run: which state it resumes from, which fields may change, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.data import data_manifest
from engine.data.settling import with_settled_task
from engine.devices import devices
from engine.experiment import Draft, Mistake, Refused, load
from engine.experiment.document import EarlyStopping, Experiment
from engine.experiment.mistakes import value_text
from engine.plan import Plan, check
from engine.protocol.events import Log
from engine.runs import RunDirectory
from engine.runs.experiments import experiment_at_start, overridden_paths, restore_experiment, with_file_lines
from engine.runs.paths import EXPERIMENT, retrain_command
from engine.runs.resumes import RESUMES, Resume, read_resumes, record_resume
from engine.runs.run_state import read_run_state
from engine.training.checkpoint import newest_checkpoint, not_of_this_run, read_state
from engine.training.learner import Position
from engine.training.runtime_config import RuntimeConfig

_MAY_CHANGE = ""

_CHANGES: dict[str, str] = {
    "training.epochs": _MAY_CHANGE,
    "training.device": _MAY_CHANGE,
    "training.amp": _MAY_CHANGE,
    "training.threads": _MAY_CHANGE,
    "training.checkpoint_every_s": _MAY_CHANGE,
    "training.checkpoint_within_epoch_s": _MAY_CHANGE,
    "training.on_not_finite": _MAY_CHANGE,
    "training.max_rewinds": _MAY_CHANGE,
    "training.on_out_of_memory": _MAY_CHANGE,
    "training.early_stopping.patience": _MAY_CHANGE,
    "training.early_stopping.min_delta": _MAY_CHANGE,
    "training.early_stopping.threshold": _MAY_CHANGE,
    "training.early_stopping.restore_best": _MAY_CHANGE,
    "training.early_stopping": "it selected the best epoch so far",
    "training": "the checkpoint counts steps of this kind",
    "regularization.average": _MAY_CHANGE,
    "regularization": "the weights were trained with it, and the checkpoint contains its state",
    "name": "its folder has this name",
    "seed": "the split of the data and the order of the samples depend on it",
    "data": "the weights were trained on this data, and the position in an epoch counts its batches",
    "model": "the checkpoint contains the weights of this model",
    "loss": "losses before and after could not be compared, so there could be no best epoch",
    "optimizer": "the checkpoint contains the state of this optimizer, with its learning rate",
    "scheduler": "the checkpoint contains the state of this scheduler",
}
"""For each field of the document: why a resumed run cannot change it, or `_MAY_CHANGE`. The first match counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """How a run resumes."""

    run: RunDirectory
    plan: Plan
    checkpoint: Path
    skipped: tuple[Mistake, ...]
    """What is wrong with newer checkpoints, which are not used."""
    before: Experiment
    """The document of the run until now."""
    runtime: RuntimeConfig
    """The configuration of the run until the checkpoint."""
    overrides: tuple[str, ...]
    """The changes that are requested now."""
    seconds_before: float
    """The duration of its earlier sessions together."""
    restored: bool
    """Whether its document was missing, and was written again."""

    @property
    def changes(self) -> list[str]:
        """Every field of the document that differs now, as `path: old → new`."""
        return [
            f"{path}: {value_text(old)} → {value_text(new)}"
            for path, old, new in _differences(self.before, self.plan.experiment)
        ]


def resumption(run: RunDirectory, overrides: Sequence[str] = ()) -> Resumption:
    """Find out how a run resumes from its newest intact checkpoint. This process must have locked the run.

    The values selected for "auto" are used again: another number of threads, device or precision changes the last bits.

    Raises:
        Refused: There is no intact checkpoint, the document has an error now, an override has an error or changes a
            field that cannot change, or the device is missing. Names everything.
    """
    restored = restore_experiment(run.path)
    damaged: list[Mistake] = []
    checkpoint = newest_checkpoint(run.checkpoints, on_damaged=damaged.append)
    if checkpoint is None:
        raise Refused(_no_checkpoint(run, damaged))
    state = read_state(checkpoint)
    try:
        runtime = RuntimeConfig.from_state(state.get("ran_with"))
        begun = int(Position(**state["position"]).epochs_begun)
    except (ValueError, TypeError, KeyError) as error:
        raise not_of_this_run(checkpoint, error) from error
    file, earlier = run.path / EXPERIMENT, [path for resume in read_resumes(run.path) for path in resume.overrides]
    requested = overridden_paths(overrides)
    in_no_file = requested | overridden_paths(earlier)
    recorded_values = [f"training.device={runtime.device}", f"training.threads={runtime.threads}"]
    if "training.device" not in requested:  # the precision on another device depends on the document
        recorded_values.append(f"training.amp={runtime.amp}")
    try:
        written = load(file, [*earlier, *recorded_values])
        after = load(file, [*earlier, *recorded_values, *overrides])
    except Refused as refused:
        raise Refused(with_file_lines(run.path, refused.mistakes, but=in_no_file)) from refused
    before = experiment_at_start(run.path, [*earlier, *recorded_values]) or written
    recorded = data_manifest.recorded(run.path)
    if before != written:
        _require_ok(check(Draft(written), recorded), run.path, but=overridden_paths(earlier))
    mistakes = list(with_file_lines(run.path, _refused_changes(before, after, run.path, requested), but=in_no_file))
    if "training.device" not in requested and (missing := _missing_device(runtime, run.path)):
        mistakes.append(missing)
    if after.training.epochs < min(begun, before.training.epochs):
        expected = f"{begun} epochs are trained, or begun, already"
        mistakes.append(Mistake("training.epochs", f"found {after.training.epochs}", expected, f"Set {begun} or more."))
    if mistakes:
        raise Refused(mistakes)
    plan = check(Draft(after), recorded)
    _require_ok(plan, run.path, but=in_no_file)
    return Resumption(
        run=run,
        plan=plan,
        checkpoint=checkpoint,
        skipped=tuple(damaged),
        before=with_settled_task(before),
        runtime=runtime,
        overrides=tuple(overrides),
        seconds_before=_seconds_before(run.path),
        restored=restored,
    )


def record(resumption: Resumption) -> Iterator[Log]:
    """Record that a run resumes. Yield a warning if that is not possible; the run trains nevertheless."""
    plan = resumption.plan
    resume = Resume(
        checkpoint=resumption.checkpoint.name,
        overrides=resumption.overrides,
        changes=tuple(resumption.changes),
        ran_with={"device": plan.device, "precision": plan.precision, "threads": plan.threads},
        epochs=plan.experiment.training.epochs,
        seconds_before=resumption.seconds_before,
    )
    try:
        record_resume(resumption.run.path, resume)
    except OSError as error:
        lost = " Repeat these changes at the next resume." if resumption.overrides else ""
        file = resumption.run.path / RESUMES
        sentence = f"{file} cannot be written ({error.strerror or error}), so this resume is not recorded.{lost}"
        yield Log(level="warning", message=sentence)


def _seconds_before(run: Path) -> float:
    try:
        return read_run_state(run).duration_s()
    except OSError:
        return 0.0


def _no_checkpoint(run: RunDirectory, damaged: Sequence[Mistake]) -> Iterator[Mistake]:
    """Yield that there is no intact checkpoint, and what is wrong with each damaged one."""
    train_again = retrain_command(run.path)
    if not damaged:
        found = "it has no checkpoint to resume from, because it ended before the first one was saved"
        yield Mistake(str(run.path), found, "", f"Train it again from the start: `{train_again}`.")
        return
    count = len(damaged)
    found = "its only checkpoint is damaged" if count == 1 else f"each of its {count} checkpoints is damaged"
    fix = f"Restore one from a copy, or train again from the start: `{train_again}`."
    yield Mistake(str(run.path), found, "an intact checkpoint is needed to resume", fix)
    for mistake in damaged:
        yield replace(mistake, fix="")


def _require_ok(plan: Plan, run: Path, but: Collection[str]) -> None:
    if not plan.ok:
        wrong = [mistake for mistake in plan.mistakes if mistake.severity == "error"]
        raise Refused(with_file_lines(run, wrong, but=but))


def _refused_changes(before: Experiment, after: Experiment, run: Path, requested: Collection[str]) -> Iterator[Mistake]:
    """Yield each change that the checkpoint does not allow, by an override or in the document of the run."""
    for path, old, new in _differences(before, after):
        reason = next(reason for part, reason in _CHANGES.items() if _is_in(path, part))
        if reason == _MAY_CHANGE:
            continue
        found = f"found {value_text(new)} for a resumed run" if new is not None else "it is removed for a resumed run"
        expected = f"the run has {value_text(old)}" if old is not None else "the run has none"
        if not any(_is_in(path, one) or _is_in(one, path) for one in requested):
            fix = f"Restore the old value, or train the changed document from the start: `{retrain_command(run)}`."
        elif path.startswith("optimizer"):
            fix = "Change the rate of the active run (+ and - in the deck), or start a new run with another optimizer."
        else:
            fix = f"Remove this override, or start a new run: torchdeck train {run / EXPERIMENT} --set {path}=…"
        yield Mistake(path, found, f"{expected}, and {reason}", fix)


def _is_in(path: str, part: str) -> bool:
    return path == part or path.startswith((f"{part}.", f"{part}["))


def _differences(before: Experiment, after: Experiment) -> Iterator[tuple[str, Any, Any]]:
    yield from _differ("", _plain(before), _plain(after))


def _plain(experiment: Experiment) -> dict[str, Any]:
    plain = experiment.model_dump(mode="json", exclude_none=True)
    # Without early stopping, the best epoch is still found, with these defaults.
    stopping = plain["training"].setdefault("early_stopping", {"patience": None})
    plain["training"]["early_stopping"] = EarlyStopping().model_dump(exclude_none=True) | stopping
    return plain


def _differ(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differ(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differ(f"{path}[{i}]", one, other)
    elif before != after:
        yield path, before, after


def _missing_device(runtime: RuntimeConfig, run: Path) -> Mistake | None:
    if any(device.device == runtime.device for device in devices()):
        return None
    here = ", ".join(device.device for device in devices())
    found, expected = f"it was trained on {runtime.device}, which torch cannot use here", f"torch can use {here}"
    return Mistake(
        str(run), found, expected, "Resume on another device with --set training.device=cpu; the last bits will differ."
    )
