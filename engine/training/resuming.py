"""What a run that is gone on with keeps, what may be changed of it, and what it says of that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.data import data_manifest, load_data
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
from engine.training.loop import Loop
from engine.training.runtime_config import RuntimeConfig

_MAY_CHANGE = (
    "training.epochs",
    "training.device",
    "training.amp",
    "training.threads",
    "training.checkpoint_every_s",
    "training.checkpoint_within_epoch_s",
    "training.on_not_finite",
    "training.max_rewinds",
    "training.on_out_of_memory",
    "training.early_stopping.patience",
    "training.early_stopping.min_delta",
    "training.early_stopping.threshold",
    "training.early_stopping.restore_best",
    "regularization.average",
)

_WHY_NOT = {
    "name": "its folder is named so",
    "seed": "the split of the data and the order of the samples follow from it",
    "data": "the weights were trained on this data, and the place in an epoch counts its batches",
    "model": "the checkpoint's weights are those of this model",
    "loss": "losses before and after could not be compared, and best would mean nothing",
    "optimizer": "the checkpoint holds this optimizer's state, its rate included",
    "scheduler": "the checkpoint holds where this scheduler stands",
    "regularization": "the weights were trained with it, and the checkpoint holds what it keeps",
    "training.early_stopping": "the best epoch so far was chosen by it",
    "training": "the place in an epoch counts steps of this kind",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """A run that is about to be gone on with."""

    run: RunDirectory
    plan: Plan
    checkpoint: Path
    passed_over: tuple[Mistake, ...]
    """What is wrong with newer checkpoints, which are not used."""
    before: Experiment
    """What the run was before this time."""
    ran_with: RuntimeConfig
    """What it ran with, up to the checkpoint."""
    overrides: tuple[str, ...]
    """What is changed this time."""
    seconds_before: float
    """How long its earlier sessions took, all together."""
    restored: bool
    """Whether its experiment had to be written down again."""

    @property
    def changes(self) -> list[str]:
        """Every place of the experiment that is another now, as `path: old → new`."""
        return [
            f"{path}: {value_text(old)} → {value_text(new)}"
            for path, old, new in _differences(self.before, self.plan.experiment)
        ]


def resumption(run: RunDirectory, overrides: Sequence[str] = ()) -> Resumption:
    """How a run that this process has is gone on with, from its newest whole checkpoint.

    What "auto" came to is used again: another number of threads, device or precision gives other bits.

    Raises:
        Refused: there is no whole checkpoint, the experiment has a mistake by now, an override has one or changes what
            cannot be changed, or the device is not here. Names everything.
    """
    restored = restore_experiment(run.path)
    damaged: list[Mistake] = []
    checkpoint = newest_checkpoint(run.checkpoints, on_damaged=damaged.append)
    if checkpoint is None:
        raise Refused(_nothing_whole(run, damaged))
    state = read_state(checkpoint)
    try:
        ran_with = RuntimeConfig.from_state(state.get("ran_with"))
        begun = int(Position(**state["position"]).epochs_begun)
    except (ValueError, TypeError, KeyError) as error:
        raise not_of_this_run(checkpoint, error) from error
    file, earlier = run.path / EXPERIMENT, [path for resume in read_resumes(run.path) for path in resume.overrides]
    asked = overridden_paths(overrides)
    elsewhere = asked | overridden_paths(earlier)  # what stands in no file
    ran = [f"training.device={ran_with.device}", f"training.threads={ran_with.threads}"]
    if "training.device" not in asked:  # what another device computes in is for the document to say
        ran.append(f"training.amp={ran_with.amp}")
    try:
        written, after = load(file, [*earlier, *ran]), load(file, [*earlier, *ran, *overrides])
    except Refused as refused:
        raise Refused(with_file_lines(run.path, refused.mistakes, but=elsewhere)) from refused
    before = experiment_at_start(run.path, [*earlier, *ran]) or written
    recorded = data_manifest.recorded(run.path)
    if before != written:
        _require_whole(check(Draft(written), recorded), run.path, but=overridden_paths(earlier))
    mistakes = list(with_file_lines(run.path, _refused(before, after, run.path, asked), but=elsewhere))
    if "training.device" not in asked and (missing := _missing_device(ran_with, run.path)):
        mistakes.append(missing)
    if after.training.epochs < min(begun, before.training.epochs):
        expected = f"{begun} epochs are trained, or begun, by now"
        mistakes.append(Mistake("training.epochs", f"found {after.training.epochs}", expected, f"Set {begun} or more."))
    if mistakes:
        raise Refused(mistakes)
    plan = check(Draft(after), recorded)
    _require_whole(plan, run.path, but=elsewhere)
    return Resumption(
        run=run,
        plan=plan,
        checkpoint=checkpoint,
        passed_over=tuple(damaged),
        before=with_settled_task(before),
        ran_with=ran_with,
        overrides=tuple(overrides),
        seconds_before=_seconds_before(run.path),
        restored=restored,
    )


def _seconds_before(run: Path) -> float:
    try:
        return read_run_state(run).duration_s()
    except OSError:
        return 0.0


def _nothing_whole(run: RunDirectory, damaged: Sequence[Mistake]) -> Iterator[Mistake]:
    """That there is nothing to go on from, and what is wrong with each checkpoint that there is."""
    anew = retrain_command(run.path)
    if not damaged:
        found = "it has no checkpoint to go on from, since it ended before the first was saved"
        yield Mistake(str(run.path), found, "", f"Train it anew: `{anew}`.")
        return
    count = len(damaged)
    found = "its only checkpoint is damaged" if count == 1 else f"each of its {count} checkpoints is damaged"
    fix = f"Bring one back from a copy, or train the run anew: `{anew}`."
    yield Mistake(str(run.path), found, "to go on takes a whole one", fix)
    for mistake in damaged:
        yield replace(mistake, fix="")


def require_same_data(resumption: Resumption) -> None:
    """Refuse to go on with other data. Reads all of it, which is remembered for the run.

    Raises:
        Refused: the data is not what the run began with, or what the run kept of it is damaged.
    """
    experiment, run = resumption.plan.experiment, resumption.run.path
    try:
        dataset = load_data(experiment.data, experiment.seed, data_manifest.recorded(run))
    except Refused:
        raise
    except Exception:
        return  # The run meets it again, says what it is, and writes down where it came from.
    if different := data_manifest.difference(dataset, run):
        fix = f"Bring the data back as it was, or train the run anew: `{retrain_command(run)}`."
        raise Refused(Mistake(str(run), different.removesuffix("."), "", fix))


def _require_whole(plan: Plan, run: Path, but: Collection[str]) -> None:
    if not plan.ok:
        wrong = [mistake for mistake in plan.mistakes if mistake.severity == "error"]
        raise Refused(with_file_lines(run, wrong, but=but))


def record(resumption: Resumption) -> Iterator[Log]:
    """Write down that a run is gone on with; says so when that is not possible, which keeps nothing from training."""
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
        lost = ", and the next resume must repeat these changes" if resumption.overrides else ""
        file = resumption.run.path / RESUMES
        sentence = f"{file} cannot be written ({error.strerror or error}): this resume is not recorded{lost}."
        yield Log(level="warning", message=sentence)


def sentences(resumption: Resumption, loop: Loop) -> Iterator[Log]:
    """What a run that is gone on with says of it: what was put back, from where, and what is not as it was."""
    if resumption.restored:
        sentence = f"{EXPERIMENT} was missing; it is written again, from what the run said when it began."
        yield Log(level="warning", message=sentence)
    for damage in resumption.passed_over:
        yield Log(level="warning", message=str(replace(damage, fix=f"{resumption.checkpoint.name} is used instead.")))
    at = loop.position
    here = f"step {at.step}, in epoch {at.epochs_begun}" if at.step else "before the first step"
    yield Log(message=f"Restored from {resumption.checkpoint.name} ({here}): {', '.join(_put_back(loop))}.")
    changes = resumption.changes
    if changes:
        yield Log(message=f"Changed from here on: {'; '.join(changes)}.")
    epochs = resumption.before.training.epochs, loop.epochs
    if epochs[0] != epochs[1] and loop.rate.scheduler is not None:
        kind = type(loop.rate.scheduler).__name__
        yield Log(
            message=f"{kind} goes on as in a run of {epochs[1]} epochs; the next step has a rate of {loop.rate.lr:.3g}."
        )
    if other := resumption.ran_with.differences(loop.runtime):
        yield Log(level="warning", message=f"The last bits may differ from here on: {', '.join(other)}.")


def _put_back(loop: Loop) -> Iterator[str]:
    yield "weights"
    yield f"optimizer ({type(loop.optimizer).__name__})"
    if loop.rate.scheduler is not None:
        yield f"scheduler ({type(loop.rate.scheduler).__name__})"
    if loop.precision.scaler is not None:
        yield "gradient scaler"
    if loop.average is not None:
        yield "averaged weights"
    yield "early stopping" if loop.stopping.patience is not None else "best epoch"
    yield "random generators"
    yield f"position, {loop.runtime.threads} thread{'s' * (loop.runtime.threads > 1)} on {loop.runtime.device}"
    yield f"{loop.runtime.precision}, {loop.runtime.memory_format}"


def _refused(before: Experiment, after: Experiment, run: Path, asked: Collection[str]) -> Iterator[Mistake]:
    """Every change that the checkpoint does not allow: one that is asked for now, or was made in the run's file."""
    for path, old, new in _differences(before, after):
        if any(_is_in(path, part) for part in _MAY_CHANGE):
            continue
        why = next(reason for part, reason in _WHY_NOT.items() if _is_in(path, part))
        found = f"found {value_text(new)}" if new is not None else "it is left out"
        expected = f"the run has {value_text(old)}" if old is not None else "the run has none"
        if not any(_is_in(path, one) or _is_in(one, path) for one in asked):
            fix = f"Set it back, or train it as it is now: `{retrain_command(run)}`."
        elif path.startswith("optimizer"):
            fix = "Change the rate while it runs (+ and - in the deck), or start a new run for another optimizer."
        else:
            fix = f"Leave it out, or start a new run: torchdeck train {run / EXPERIMENT} --set {path}=…"
        yield Mistake(path, f"{found} for a resumed run", f"{expected}, and {why}", fix)


def _is_in(path: str, part: str) -> bool:
    return path == part or path.startswith((f"{part}.", f"{part}["))


def _differences(before: Experiment, after: Experiment) -> Iterator[tuple[str, Any, Any]]:
    yield from _differ("", _plain(before), _plain(after))


def _plain(experiment: Experiment) -> dict[str, Any]:
    plain = experiment.model_dump(mode="json", exclude_none=True)
    # Without early stopping the best epoch is followed all the same, as these defaults have it.
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


def _missing_device(ran_with: RuntimeConfig, run: Path) -> Mistake | None:
    if any(device.device == ran_with.device for device in devices()):
        return None
    here = ", ".join(device.device for device in devices())
    found, expected = f"it was trained on {ran_with.device}, which torch cannot use here", f"there is {here}"
    return Mistake(str(run), found, expected, "Go on elsewhere with --set training.device=cpu; the bits will differ.")
