"""A plan as text: the data, the layer table, the totals, and how the model is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine import Choice, sentences_by_class
from tui.quantities import scaled_text, shape_text
from tui.rows.parameter_groups import group_name, several_optimizers
from tui.tables.text import columns

if TYPE_CHECKING:
    from engine import GroupPlan, Plan, WeightStatistics


def plan_as_text(plan: Plan) -> str:
    """The plan as text."""
    blocks = [columns(_facts(plan))]
    if plan.description is not None and plan.description.notes:
        blocks.append("\n".join(plan.description.notes))
    if plan.groups:
        blocks.append(columns(_groups(plan.groups), right=(1, 2, 3)))
    blocks.append(columns(_table(plan), right=(0, 3, 4)))
    if notes := [(f"{layer.path} {layer.type}", note) for layer in plan.layers for note in layer.sentences]:
        blocks.append(columns(notes))
    frozen = f", {plan.frozen:,} of them frozen" if plan.frozen else ""
    total = [f"{plan.parameters:,} parameters{frozen}", f"{scaled_text(plan.flops, 'FLOP')} a sample"]
    if plan.memory_bytes:
        total.append(f"about {scaled_text(plan.memory_bytes, 'B')} for a step on a batch")
    return "\n\n".join([*blocks, " · ".join(total)])


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """The plan for JSON, with its mistakes."""
    return {
        "ok": plan.ok,
        "experiment": plan.experiment.model_dump(mode="json", exclude_none=True) if plan.experiment else None,
        "data": asdict(plan.description) if plan.description else None,
        "layers": [
            {
                "path": layer.path,
                "type": layer.type,
                "label": layer.label,
                "output_shape": layer.output_shape,
                "parameters": layer.parameters,
                "frozen_parameters": layer.frozen,
                "flops": layer.flops,
                "activation_bytes": layer.activation_bytes,
                "notes": list(layer.sentences),
            }
            for layer in plan.layers
        ],
        "groups": [
            {
                "layers": group.layers,
                "weights": group.weights or None,
                "optimizer": group.optimizer,
                "parameters": group.parameters,
                "lr": group.lr,
                "weight_decay": group.weight_decay,
                **group.own,
            }
            for group in plan.groups
        ],
        "parameters": plan.parameters,
        "frozen_parameters": plan.frozen,
        "flops": plan.flops,
        "memory_bytes": plan.memory_bytes,
        "device": plan.device,
        "precision": plan.precision,
        "threads": plan.threads,
        "steps_per_epoch": plan.steps_per_epoch,
        "steps": plan.steps,
        "mistakes": [mistake.as_dict() for mistake in plan.mistakes],
    }


def weights_as_text(weights: Sequence[WeightStatistics]) -> str:
    """The statistics of the initial weights, a line each: measured, and by the formula of their initializer."""
    rows: list[tuple[str, ...]] = [("layer", "weights", "shape", "by", "mean", "formula", "std", "formula", "")]
    for w in weights:
        rows.append(
            (
                f"{w.path.removeprefix('model.')} {w.type}",
                w.parameter,
                shape_text(w.shape),
                w.initializer,
                _number(w.mean),
                _number(w.expected_mean),
                _number(w.std),
                _number(w.expected_std),
                f"= {w.formula}" if w.formula else "",
            )
        )
    return columns(rows, right=(4, 5, 6, 7))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def weights_as_dicts(weights: Sequence[WeightStatistics]) -> list[dict[str, Any]]:
    """The same for JSON; a number that is not finite becomes None."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(w).items()} for w in weights
    ]


def _facts(plan: Plan) -> list[tuple[str, str]]:
    experiment, data = plan.experiment, plan.description
    facts = []
    if data is not None:
        kind = f"{data.task}, {len(data.classes)} classes" if data.classes else data.task
        facts.append(("data", f"{data.source}: {kind}"))
        parts = f"{data.train_samples:,} to train on, {data.val_samples:,} to validate"
        tested = f", {data.test_samples:,} to test" if data.test_samples else ""
        fold = f", fold {experiment.data.fold}" if experiment.data.fold is not None else ""
        facts.append(("samples", f"{parts}{tested}{fold}"))
        facts.append(
            ("input", f"{shape_text(data.input_shape)} {data.input_dtype}, in batches of {experiment.data.batch_size}")
        )
    for name in ("transforms", "augment"):
        if choices := getattr(experiment.data, name):
            facts.append((name, ", ".join(map(_choice, choices))))
    facts.append(("loss", _choice(experiment.loss)))
    if data is not None:
        facts += [("", sentence) for sentence in sentences_by_class(experiment.loss, data.classes)]
    facts.append(("optimizer", _choice(experiment.optimizer, without=("groups", "others"))))
    if experiment.optimizer.others is not None:
        facts.append(("others", _choice(experiment.optimizer.others)))
    if experiment.scheduler is not None:
        facts.append(("scheduler", _choice(experiment.scheduler)))
    facts.append(("training", f"{experiment.training.epochs} epochs of {plan.steps_per_epoch:,} steps"))
    threads = f" · {plan.threads} thread{'s' * (plan.threads > 1)}" if plan.device == "cpu" else ""
    facts.append(("device", f"{plan.device} · {plan.precision}{threads}"))
    return facts


def _choice(choice: Choice, without: Sequence[str] = ()) -> str:
    given = {name: value for name, value in choice if name not in ("type", *without) and value not in (None, 0.0)}
    return " ".join([choice.type, *(f"{name}={value}" for name, value in given.items())])


def _groups(groups: Sequence[GroupPlan]) -> list[tuple[str, ...]]:
    """The parameter groups, a line each."""
    several = several_optimizers(groups)
    rows: list[tuple[str, ...]] = [("parameter group", "parameters", "lr", "weight_decay", "")]
    for group in groups:
        rest = [group.optimizer] * several + [f"{name}={value}" for name, value in group.own.items()]
        values = ["" if value is None else f"{value:g}" for value in (group.lr, group.weight_decay)]
        rows.append((group_name(group, groups), f"{group.parameters:,}", *values, " ".join(rest)))
    return rows


def _table(plan: Plan) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("#", "layer", "output", "parameters", "FLOP")]
    if plan.description is not None:
        rows.append(("", "input", shape_text(plan.description.input_shape), "", ""))
    for layer in plan.layers:
        mark = {"error": "✗", "warning": "!"}[layer.mistake.severity] if layer.mistake is not None else ""
        rows.append(
            (
                f"{mark}{layer.number}",
                "  " * layer.depth + layer.label,
                shape_text(layer.output_shape) or "?",
                f"{layer.parameters:,}" if layer.parameters else "",
                scaled_text(layer.flops, "") if layer.flops else "",
            )
        )
    return rows
