"""Whether loss, optimizer, scheduler and monitored metric are such that torch takes them, for the task and the run.

Each function returns every mistake that it finds; paths are those of the document.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from engine.catalog import catalog, find
from engine.catalog.bind import (
    build_loss,
    build_optimizer,
    build_scheduler,
    moves_of,
    scratch_parameter,
    stretches,
)
from engine.catalog.choices import blame, check_parameters, check_type
from engine.catalog.class_weights import class_mistakes
from engine.catalog.entry import Task
from engine.catalog.losses import BY_TASK, ONE_OUTPUT
from engine.catalog.metrics import monitors
from engine.catalog.schedulers import ALONE, COMPOSITES
from engine.experiment.document import Choice, EarlyStopping, Scheduler
from engine.experiment.mistakes import Mistake, drop, put, unknown_name, value_text

_TORCH_REFUSES = (ValueError, TypeError, RuntimeError, ArithmeticError)


_READINGS: dict[Task, str] = {"classification": "classes", "regression": "a quantity to predict"}


def loss_mistakes(
    choice: Choice, task: Task | None, classes: int | None, *, names: Sequence[str] = (), said: Task | None = None
) -> list[Mistake]:
    """What is wrong with a loss by itself, and for a task.

    Args:
        task: None where the data is not known; `classes` likewise.
        names: those of the classes.
        said: the task that the document says, which may be what is wrong.
    """
    entry, mistakes = check_type("losses", choice, "loss")
    if entry is None:
        return mistakes
    checked = check_parameters(entry, choice.parameters, "loss")
    mistakes += checked.mistakes
    if not checked.mistakes:

        def attempt(**parameters: Any) -> None:
            weight = parameters.get("weight")
            if isinstance(weight, Mapping):  # which class each is of does not matter here
                parameters = {**parameters, "weight": (weight := tuple(map(float, weight.values())) or (1.0, 1.0))}
            outputs = len(weight) if isinstance(weight, (list, tuple)) else 2
            loss = build_loss(Choice.model_validate({"type": choice.type, **parameters}), [1] * outputs)
            one_of_two = choice.type in ONE_OUTPUT or "classification" not in entry.tasks
            output = torch.full((2, 1 if one_of_two else outputs), 0.5)
            loss(output, torch.zeros(2, dtype=torch.int64) if "classification" in entry.tasks else output)

        try:
            attempt(**checked.parameters)
        except _TORCH_REFUSES as error:
            mistakes.append(blame(entry, checked.parameters, error, attempt, "loss"))
    if task is None:
        return mistakes
    if task not in entry.tasks:
        fix, expected = f'Use {BY_TASK[task]}, or "auto".', f"the data is for {task}"
        if said is not None:
            expected = f'data.task = "{said}" makes it {_READINGS[said]}'
            other = "regression" if said == "classification" else "classification"
            if other in entry.tasks:
                fix = f'{fix[:-1]}; or set data.task = "{other}", which makes it {_READINGS[other]}.'
        found = f"{choice.type} is for {' and '.join(entry.tasks)}"
        return [*mistakes, Mistake("loss.type", found, expected, fix)]
    if classes is None:
        return mistakes
    if choice.type in ONE_OUTPUT and classes != 2:
        found = f"{choice.type} tells two classes apart"
        return [*mistakes, Mistake("loss.type", found, f"the data has {classes}", "Use CrossEntropyLoss.")]
    return [*mistakes, *class_mistakes(choice, classes, names)]


def optimizer_mistakes(choice: Choice, path: str = "optimizer") -> tuple[list[Mistake], Optimizer | None]:
    """What is wrong with an optimizer; and one over a parameter of no network, where nothing is."""
    entry, mistakes = check_type("optimizers", choice, path)
    if entry is None:
        return mistakes, None
    checked = check_parameters(entry, choice.parameters, path)
    if checked.mistakes:
        return list(checked.mistakes), None

    def attempt(**parameters: Any) -> Optimizer:
        return build_optimizer(
            Choice.model_validate({"type": choice.type, **parameters}), [scratch_parameter()], fused=False
        )

    try:
        return [], attempt(**checked.parameters)
    except _TORCH_REFUSES as error:
        return [blame(entry, checked.parameters, error, attempt, path)], None


def scheduler_mistakes(
    choice: Scheduler,
    optimizer: Optimizer | None,
    *,
    epochs: int,
    steps_per_epoch: int,
    task: str | None = None,
    validates: bool = True,
) -> list[Mistake]:
    """What is wrong with a scheduler; on an `optimizer` that it may be tried on, for a run of that length.

    Args:
        task, validates: what the data is for and whether samples of it are held back, for the metric that is watched.
    """
    entry, mistakes = check_type("schedulers", choice, "scheduler")
    if entry is None:
        return mistakes
    checked = check_parameters(entry, choice.parameters, "scheduler")
    mistakes += checked.mistakes
    moves = moves_of(choice, epochs=epochs, steps_per_epoch=steps_per_epoch)
    if choice.type in COMPOSITES and not checked.mistakes:
        mistakes += _parts_mistakes(choice, moves)
    if isinstance(monitor := checked.parameters.get("monitor"), str):
        mistakes += _metric_mistakes(monitor, "scheduler.monitor", task, validates)
    total = checked.parameters.get("total_steps", moves)
    if total < moves:
        fix = "Remove total_steps (it is inferred)."
        found = f"found {value_text(total)}"
        expected = f"it moves {moves} times"
        mistakes.append(Mistake("scheduler.total_steps", found, expected, fix, choice.type, remedy=drop()))
    if choice.warmup_epochs >= epochs:
        found = f"found {value_text(choice.warmup_epochs)}"
        expected = f"the run has {epochs} epoch{'s' if epochs > 1 else ''}"
        shorter = put(float(epochs // 5)) if epochs >= 5 else drop()
        path, fix = "scheduler.warmup_epochs", "Make it shorter."
        mistakes.append(Mistake(path, found, expected, fix, choice.type, remedy=shorter))
    if mistakes or optimizer is None:
        return mistakes

    def attempt(**parameters: Any) -> None:
        fields = {"type": choice.type, "interval": choice.interval, "warmup_epochs": choice.warmup_epochs, **parameters}
        fresh = type(optimizer)([scratch_parameter()], **_settable(optimizer))
        tried = Scheduler.model_validate(fields)
        build_scheduler(tried, fresh, epochs=epochs, steps_per_epoch=steps_per_epoch)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt(**checked.parameters)
    except _TORCH_REFUSES as error:
        mistakes.append(blame(entry, checked.parameters, error, attempt, "scheduler"))
    return mistakes


def _parts_mistakes(choice: Scheduler, moves: int) -> list[Mistake]:
    """What is wrong with the schedulers that a scheduler is made of, and with where one takes over from another."""
    path = "scheduler.schedulers"
    given = choice.parameters["schedulers"]
    if not given:
        return [Mistake(path, "there is none", "expected at least one scheduler", "Name one.", choice.type)]
    mistakes: list[Mistake] = []
    for index, part in enumerate(given):
        here = f"{path}[{index}]"
        if not isinstance(part, str) and not isinstance(part.get("type"), str):
            fix = f"Choose one: {', '.join(n for n in catalog('schedulers') if n not in ALONE)}."
            mistakes.append(Mistake(here, "it has no type", "expected the name of a scheduler", fix, choice.type))
            continue
        own = Choice.model_validate(part)
        entry, wrong = check_type("schedulers", own, here)
        if entry is not None and own.type in ALONE:
            why = "it waits for a metric" if own.type == "ReduceLROnPlateau" else "it sets the whole run's rate itself"
            wrong = [Mistake(here, f"{own.type} cannot be a part", why, "Use it alone.", choice.type)]
        elif entry is not None:
            wrong = list(check_parameters(entry, own.parameters, here).mistakes)
        mistakes += wrong
    milestones = choice.parameters.get("milestones")
    if choice.type == "SequentialLR" and milestones is not None:
        at = stretches(choice, moves)
        where, fix = "scheduler.milestones", "Correct it, or remove it for stretches of equal length."
        found = f"found {value_text(milestones)}"
        if len(at) != len(given) - 1:
            expected = f"expected {len(given) - 1} for {len(given)} schedulers"
            mistakes.append(Mistake(where, found, expected, fix, choice.type))
        elif at != sorted(set(at)):
            mistakes.append(Mistake(where, found, "expected rising numbers", fix, choice.type))
    return mistakes


def _settable(optimizer: Optimizer) -> dict[str, Any]:
    known = find("optimizers", type(optimizer).__name__).parameters
    return {name: value for name, value in optimizer.defaults.items() if name in known}


def monitor_mistakes(stopping: EarlyStopping, task: str | None, validates: bool) -> list[Mistake]:
    """What is wrong with the metric that early stopping watches. `validates`: whether samples are held back for it."""
    return _metric_mistakes(stopping.monitor, "training.early_stopping.monitor", task, validates)


def _metric_mistakes(monitor: str, path: str, task: str | None, validates: bool) -> list[Mistake]:
    if task is None:
        return []
    names = monitors(task)
    if monitor not in names:
        return [unknown_name(path, monitor, names, f"a metric of {task}")]
    if monitor.startswith("val_") and not validates:
        fix = "Set data.validation to 0.2, for example, or watch train_loss."
        found, expected = f"{monitor} cannot be measured", "no samples are held back to validate"
        return [Mistake(path, found, expected, fix, remedy=put(0.2, "data.validation"))]
    return []


def state_numbers(optimizer: Optimizer) -> int:
    """How many numbers an optimizer keeps for each weight."""
    group = optimizer.param_groups[0]
    name = type(optimizer).__name__
    if name in ("Adam", "AdamW"):
        return 2 + bool(group["amsgrad"])
    if name == "RMSprop":
        return 1 + bool(group["momentum"]) + bool(group["centered"])
    if name == "SGD":
        return int(bool(group["momentum"]))
    if name == "LBFGS":
        return 2 * int(group["history_size"]) + 2
    return _STATE_NUMBERS.get(name, 2)


_STATE_NUMBERS = {"Adagrad": 1, "ASGD": 1, "Adafactor": 0, "Muon": 1}
