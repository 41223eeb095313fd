"""From a document to a plan, without training: every choice bound, the network traced, every mistake found at once."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from engine.catalog import catalog
from engine.catalog.choices import completed
from engine.catalog.class_weights import with_weights_listed
from engine.catalog.group_mistakes import group_mistakes
from engine.catalog.losses import BY_TASK
from engine.catalog.optimizers import HIDDEN_ONLY, NEEDS_CLOSURE, OTHERS
from engine.catalog.others_mistakes import others_mistakes
from engine.catalog.regularization import regularization_mistakes, threshold_mistakes
from engine.catalog.suitability import (
    loss_mistakes,
    monitor_mistakes,
    optimizer_mistakes,
    scheduler_mistakes,
    state_numbers,
)
from engine.data import to_download, with_defaults
from engine.data.class_order import NOTHING, Recorded
from engine.data.description import Description
from engine.data.settling import known_data, said_task
from engine.devices import Precision, devices, resolve_device, resolve_precision, resolve_threads
from engine.experiment.document import Choice, Data, Experiment, Layer, Model, Optimizer
from engine.experiment.draft import Draft
from engine.experiment.mistakes import Mistake, Refused
from engine.experiment.tree import walk
from engine.model.arguments import Facts, facts_of, signal_of
from engine.model.init_mistakes import init_mistakes
from engine.model.pretrained import wanted
from engine.model.signal import Signal
from engine.model.trace import Traced
from engine.model.trace_tree import everything, trace
from engine.plan.groups import GroupPlan, group_plans, hidden_mistakes
from engine.plan.plan import LayerPlan, Plan
from engine.plan.planned_rates import PlannedRates, with_rate_of_group
from engine.plan.rules import Subject, every_mistake
from engine.plan.threads import single_threaded

__all__ = ["LayerPlan", "Plan", "check", "device_and_precision", "known_facts"]

_UNKNOWN = Facts(outputs=0, wants="", vocabulary_size=None, padded=False, rows_parameter=False)
_NOTHING = Experiment(data=Data(source=""), model=Model(layers=(Layer(type="Identity"),)))
_FLOAT_BYTES = 4
C = TypeVar("C", bound=Choice | None)
_HOLDS_ON = re.compile(r"\d|\.(?:init|recurrent_init|bias_init|forget_bias|(?:layers|shortcut|branches)\b)")
"""What may stand behind a layer's path where a mistake leaves open no more than the place it is at."""
_BACKWARD_COST = 3
"""Work of forward and backward together, as a multiple of the forward pass: the backward pass has two products for
each of the forward pass."""


@single_threaded()
def check(draft: Draft | Experiment, recorded: Recorded = NOTHING) -> Plan:
    """The plan of a document. What a person got wrong is among its mistakes, never raised.

    Args:
        recorded: the orders of classes and categories that a resumed run began with.
    """
    if isinstance(draft, Experiment):
        draft = Draft(draft)
    experiment = _without_nones(draft.experiment or _NOTHING)
    if draft.experiment is None:
        return Plan(experiment=experiment, mistakes=draft.mistakes)

    known = known_data(experiment, recorded)
    description, task, mistakes = known.description, known.task, list(known.mistakes)
    if known.data is not experiment.data:
        experiment = experiment.model_copy(update={"data": known.data})
    if experiment.loss.type == "auto" and task is not None:
        experiment = experiment.model_copy(update={"loss": Choice(type=BY_TASK[task])})
    layers, training = experiment.model.layers, experiment.training

    traced = _trace(experiment, description, draft.mistakes)
    every = list(everything(traced))
    mistakes += [mistake for layer in every for mistake in layer.mistakes]
    mistakes += init_mistakes(experiment.model, {t.path: dict(t.shapes) for t in every})

    names = description.classes if description is not None else ()
    if experiment.loss.type != "auto":
        mistakes += loss_mistakes(experiment.loss, task, known.classes, names=names, said=said_task(experiment.data))
        experiment = experiment.model_copy(update={"loss": with_weights_listed(experiment.loss, names)})
    wrong, optimizer = optimizer_mistakes(experiment.optimizer)
    batches = -(-description.train_samples // experiment.data.batch_size) if description is not None else 0
    steps_per_epoch = -(-batches // training.accumulation_steps)
    if experiment.scheduler is not None:
        wrong += scheduler_mistakes(
            experiment.scheduler,
            optimizer,
            epochs=training.epochs,
            steps_per_epoch=max(1, steps_per_epoch),
            task=task,
            validates=description is None or description.val_samples > 0,
        )
    by_layer = {t.path: t.parameters - t.frozen for t in every if t.signal is not None}
    parameters, flops = sum(layer.parameters for layer in traced), sum(layer.flops for layer in traced)
    frozen = sum(layer.frozen for layer in traced)
    of_groups = others_mistakes(experiment.optimizer)
    if optimizer is not None:
        of_groups += group_mistakes(experiment.optimizer, layers, by_layer)
    groups: tuple[GroupPlan, ...] = ()
    fits = traced and not any(_errors(layer.mistakes) for layer in every)
    if description is not None and optimizer is not None and fits and not _errors(of_groups):
        groups = group_plans(experiment, description)
        # A layer that was set aside might have been what is missed.
        if not any(mistake.path.startswith("model") for mistake in draft.mistakes):
            of_groups += hidden_mistakes(experiment.optimizer, groups)
    wrong += of_groups
    mistakes += wrong
    mistakes += regularization_mistakes(
        experiment.regularization,
        layers,
        parameters=by_layer,
        input_kind=description.input_kind if description is not None else None,
        epochs=training.epochs,
        steps=steps_per_epoch * training.epochs,
    )
    device, precision, refused = device_and_precision(experiment)
    mistakes += refused
    if training.early_stopping is not None:
        validates = description is None or description.val_samples > 0
        mistakes += monitor_mistakes(training.early_stopping, task, validates)
        mistakes += threshold_mistakes(training.early_stopping)
    mistakes += every_mistake(
        Subject(
            experiment=experiment,
            description=description,
            signals={t.path: t.signal for t in every},
            steps_per_epoch=steps_per_epoch,
            trained=parameters - frozen if every and all(t.signal is not None for t in every) else None,
            needs_two=frozenset(t.path for t in every if t.needs_two),
        )
    )

    averaged = experiment.regularization.average is not None
    kept = state_numbers(optimizer) if optimizer is not None else 2
    if experiment.optimizer.type in HIDDEN_ONLY:
        kept = 2  # as the optimizer beside it mostly keeps
    weights_bytes = (parameters * (1 + averaged) + (parameters - frozen) * (1 + kept)) * _FLOAT_BYTES
    kept_bytes = sum(layer.activation_bytes for layer in traced) * experiment.data.batch_size
    memory_bytes = weights_bytes + (kept_bytes if precision == "float32" else kept_bytes // 2)
    mistakes += _memory_mistakes(weights_bytes, memory_bytes, device)

    files = wanted(layers)
    mistakes += [file.mistake for file in files if file.mistake is not None]
    said = draft.with_mistakes(mistakes)
    if all(mistake.severity != "error" for mistake in said):
        experiment = _completed(experiment)
    return Plan(
        experiment=experiment,
        description=description,
        layers=_layer_plans(layers, every, said, {file.path: file.note for file in files}),
        groups=groups if len(groups) > 1 else (),
        parameters=parameters,
        frozen=frozen,
        flops=flops,
        memory_bytes=memory_bytes,
        device=device,
        precision=precision,
        threads=resolve_threads(training.threads, _BACKWARD_COST * flops * experiment.data.batch_size),
        steps_per_epoch=steps_per_epoch,
        steps=steps_per_epoch * training.epochs,
        lr=() if wrong or not steps_per_epoch else _lr_plan(_rate_parts(experiment), steps_per_epoch),
        group_rates=() if wrong or not steps_per_epoch else _group_rates(experiment, groups, steps_per_epoch),
        downloads=(
            *filter(None, [to_download(experiment.data)]),
            *(file.download for file in files if not file.is_here),
        ),
        mistakes=said,
    )


def _without_nones(experiment: Experiment) -> Experiment:
    """A choice of type "none", by which `--set` takes a preset's choice back, left out."""
    update: dict[str, Any] = {}
    if experiment.optimizer.others is not None and experiment.optimizer.others.type == "none":
        update["optimizer"] = experiment.optimizer.model_copy(update={"others": None})
    if experiment.scheduler is not None and experiment.scheduler.type == "none":
        update["scheduler"] = None
    model = {name: getattr(experiment.model, name) for name in ("init", "recurrent_init", "bias_init")}
    none = {name: None for name, choice in model.items() if choice is not None and choice.type == "none"}
    if none:
        update["model"] = experiment.model.model_copy(update=none)
    return experiment.model_copy(update=update)


def _trace(
    experiment: Experiment, description: Description | None, wrong_already: Sequence[Mistake]
) -> tuple[Traced, ...]:
    """The layers traced; one that was set aside because of its form lets nothing be told about those after it."""
    if any(m.path in ("model", "model.layers") for m in wrong_already):
        return ()
    set_aside = {
        place.path
        for place in walk(experiment.model.layers)
        for m in wrong_already
        if m.severity == "error" and m.path.startswith(place.path) and not _HOLDS_ON.match(m.path[len(place.path) :])
    }
    signal, facts = _signal_and_facts(description, experiment.loss.type)
    return trace(experiment.model.layers, signal, facts, set_aside)


def _signal_and_facts(description: Description | None, loss: str) -> tuple[Signal | None, Facts]:
    return (None, _UNKNOWN) if description is None else (signal_of(description), facts_of(description, loss))


def known_facts(experiment: Experiment) -> tuple[Signal | None, Facts]:
    """What the network of an experiment gets, None where its data cannot be had, and what its layers may ask."""
    return _signal_and_facts(known_data(experiment).description, experiment.loss.type)


def device_and_precision(experiment: Experiment) -> tuple[str, Precision, list[Mistake]]:
    """Where an experiment is trained and what its forward pass computes in, or why it cannot be."""
    try:
        device = resolve_device(experiment.training.device)
    except Refused as refused:
        return "cpu", "float32", list(refused.mistakes)
    try:
        precision = resolve_precision(experiment.training.amp, device)
    except Refused as refused:
        return device, "float32", list(refused.mistakes)
    if experiment.loss.type == "BCELoss" and precision != "float32" and device != "cpu":
        found = f"BCELoss does not bear {precision}"
        return (
            device,
            precision,
            [Mistake("loss.type", found, "", 'Use BCEWithLogitsLoss, or set training.amp = "off".')],
        )
    if experiment.optimizer.type in NEEDS_CLOSURE and precision == "float16":
        found = f"{experiment.optimizer.type} takes its steps through a closure"
        expected = "torch's GradScaler, which float16 needs, takes none"
        return device, precision, [Mistake("training.amp", found, expected, 'Set it to "bfloat16" or "off".')]
    return device, precision, []


def _memory_mistakes(weights_bytes: int, memory_bytes: int, device: str) -> list[Mistake]:
    there = _memory_of(device)
    if memory_bytes <= there:
        return []
    found = f"a training step needs about {memory_bytes / 2**30:,.1f} GiB"
    expected = f"{device} has {there / 2**30:,.1f} GiB"
    if weights_bytes > there:
        return [Mistake("model.layers", found, expected, "Make the layers with most parameters smaller.")]
    return [
        Mistake("data.batch_size", found, expected, "Make it smaller; training.accumulation_steps makes up for it.")
    ]


@lru_cache(maxsize=8)
def _memory_of(device: str) -> int:
    return next((d.memory_bytes for d in devices() if d.device == device), sys.maxsize)


def _rate_parts(experiment: Experiment) -> str:
    """What the learning rate depends on, as JSON."""
    parts: dict[str, Any] = {
        "optimizer": _complete("optimizers", experiment.optimizer).model_dump(),
        "scheduler": experiment.scheduler.model_dump() if experiment.scheduler is not None else None,
        "training": {"epochs": experiment.training.epochs},
    }
    return json.dumps(parts)


def _group_rates(experiment: Experiment, groups: Sequence[GroupPlan], steps_per_epoch: int) -> tuple[PlannedRates, ...]:
    if len(groups) < 2:
        return ()
    rates = [group.lr if group.lr is not None else groups[0].lr for group in groups]
    seen = [with_rate_of_group(experiment, rate, of_first=rates[0]) for rate in rates]
    return tuple(_lr_plan(_rate_parts(one), steps_per_epoch) for one in seen)


@lru_cache(maxsize=32)
def _lr_plan(rate_parts: str, steps_per_epoch: int) -> PlannedRates:
    """Remembered, so that checking again after an edit of the model costs no second drive through the schedule."""
    return PlannedRates(Experiment.model_validate({**_NOTHING.model_dump(), **json.loads(rate_parts)}), steps_per_epoch)


def _completed(experiment: Experiment) -> Experiment:
    """The experiment with every default of data source and catalog filled in: what a run stores."""
    model = experiment.model
    return experiment.model_copy(
        update={
            "data": with_defaults(experiment.data).model_copy(
                update={
                    "transforms": tuple(_complete("transforms", choice) for choice in experiment.data.transforms),
                    "augment": tuple(_complete("augmentations", choice) for choice in experiment.data.augment),
                }
            ),
            "model": model.model_copy(
                update={
                    "init": _complete("initializers", model.init),
                    "init_by_type": {t: _complete("initializers", c) for t, c in (model.init_by_type or {}).items()}
                    or None,
                    "recurrent_init": _complete("initializers", model.recurrent_init),
                    "bias_init": _complete("initializers", model.bias_init),
                    "layers": tuple(_complete_layer(layer) for layer in model.layers),
                }
            ),
            "loss": _complete("losses", experiment.loss),
            "optimizer": _complete_optimizer(experiment.optimizer),
            "scheduler": _complete("schedulers", experiment.scheduler),
        }
    )


def _complete_layer(layer: Layer) -> Layer:
    inits = {name: _complete("initializers", getattr(layer, name)) for name in ("init", "recurrent_init", "bias_init")}
    held: dict[str, Any] = {
        name: tuple(_complete_layer(inner) for inner in getattr(layer, name))
        for name in ("layers", "shortcut")
        if getattr(layer, name) is not None
    }
    if layer.branches is not None:
        held["branches"] = tuple(tuple(_complete_layer(inner) for inner in branch) for branch in layer.branches)
    return _complete("layers", layer).model_copy(update={**inits, **held})


def _complete(kind: str, choice: C) -> C:
    if choice is None:
        return choice
    declared = {name: getattr(choice, name) for name in type(choice).model_fields}
    given = completed(catalog(kind)[choice.type], choice.parameters)
    return cast(C, type(choice).model_validate({**declared, **given}))


def _complete_optimizer(optimizer: Optimizer) -> Optimizer:
    others = optimizer.others
    if optimizer.type in HIDDEN_ONLY:
        others = _complete("optimizers", others or Choice(type=OTHERS))
    return _complete("optimizers", optimizer).model_copy(update={"others": others})


def _errors(mistakes: Sequence[Mistake]) -> bool:
    return any(mistake.severity == "error" for mistake in mistakes)


def _layer_plans(
    layers: Sequence[Layer],
    traced: Sequence[Traced],
    said: Sequence[Mistake],
    published: Mapping[str, str],
) -> tuple[LayerPlan, ...]:
    places = {place.path: place for place in walk(layers)}
    own: dict[str, list[Mistake]] = {result.path: [] for result in traced}
    for mistake in said:
        # A mistake stands at the innermost layer that it lies in.
        around = [path for path in own if re.match(re.escape(path) + r"(?:[.\[]|$)", mistake.path)]
        if around:
            own[max(around, key=len)].append(mistake)
    return tuple(
        LayerPlan(
            path=result.path,
            number=places[result.path].number,
            depth=places[result.path].depth,
            type=places[result.path].layer.type,
            label=result.label,
            output_shape=result.signal.shape if result.signal is not None else None,
            parameters=result.parameters,
            frozen=result.frozen,
            flops=result.flops,
            activation_bytes=result.activation_bytes,
            notes=result.notes,
            published=published.get(result.path, ""),
            mistake=min(own[result.path], key=lambda m: m.severity, default=None),
        )
        for result in traced
    )
