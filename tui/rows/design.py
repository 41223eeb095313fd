"""The texts of the design screen, as functions of the document, its plan and the selection. No widgets and no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from textual.content import Content

from engine import CONTAINER_FIELDS, Choice, Experiment, Layer, Mistake, Place, walk_layers
from tui.quantities import left, right, scaled_text, shape_text
from tui.rows.parameter_groups import group_name, several_optimizers
from tui.tables.column_widths import cut_apart
from tui.tables.columns import Column, cell_widths, table

if TYPE_CHECKING:
    from engine import Draft, GroupPlan, LayerPlan, Plan

MUTED = "$muted"
WRONG = "$text-error"

PARTS = {
    "data": "Data",
    "model": "Model",
    "loss": "Loss",
    "optimizer": "Optimizer",
    "scheduler": "Scheduler",
    "regularization": "Regular.",
    "training": "Training",
    "device": "Device",
}
"""The parts of an experiment in the order shown, with their names in a narrow column."""

_DEVICE_FIELDS = ("training.device", "training.amp", "training.threads")


@dataclass(frozen=True, slots=True)
class PartText:
    """One part: its value in a word or two, and details, one line each."""

    value: str
    details: tuple[str, ...] = ()


def mistakes_of(draft: Draft, plan: Plan | None) -> tuple[Mistake, ...]:
    """Return every known mistake."""
    return plan.mistakes if plan is not None else draft.mistakes


def part_of(path: str) -> str | None:
    """Return the part of the experiment that a path belongs to: `training.device` belongs to the device."""
    if path.startswith(_DEVICE_FIELDS):
        return "device"
    head = path.split(".")[0].split("[")[0]
    return head if head in PARTS and head != "device" else None


def part_text(part: str, experiment: Experiment, plan: Plan | None) -> PartText:
    """Return the value of one part of an experiment, from the document and its plan."""
    return _PART_TEXTS[part](experiment, plan)


def _data(experiment: Experiment, plan: Plan | None) -> PartText:
    data = experiment.data
    description = plan.description if plan else None
    batch = f"batch {data.batch_size:,}"
    if description is None:
        return PartText(data.source, (batch,))
    samples = (f"{description.train_samples:,} train", f"{description.val_samples:,} validation")
    return PartText(data.source, (*samples, f"{shape_text(description.input_shape)}, {batch}"))


def _model(experiment: Experiment, plan: Plan | None) -> PartText:
    count = sum(1 for _ in walk_layers(experiment.model.layers))
    init = experiment.model.init
    return PartText(f"{count} layer{'s' if count != 1 else ''}", (init.type,) if init else ())


def _loss(experiment: Experiment, plan: Plan | None) -> PartText:
    type = experiment.loss.type
    resolved = f" → {plan.experiment.loss.type}" if type == "auto" and plan is not None else ""
    return PartText(resolved.removeprefix(" → ") or type, ("auto",) * bool(resolved) + tuple(_given(experiment.loss)))


def _optimizer(experiment: Experiment, plan: Plan | None) -> PartText:
    optimizer = plan.experiment.optimizer if plan is not None else experiment.optimizer
    rates = {name: optimizer.parameters.get(name) for name in ("lr", "weight_decay", "momentum")}
    parts = [f"{name} {value_text(value)}" for name, value in rates.items() if value]
    parts += ["no decay of biases and norms"] if optimizer.no_bias_decay else []
    if plan is not None and plan.groups:
        parts += [_group(group, plan.groups) for group in plan.groups]
    else:
        parts += [f"{value_text(group.layers)}: {value_text(group.parameters)}" for group in optimizer.groups]
    return PartText(optimizer.type, tuple(parts))


def _group(group: GroupPlan, groups: Sequence[GroupPlan]) -> str:
    parts = [group.optimizer] if several_optimizers(groups) else []
    parts += [f"{value_text(group.parameters)} parameters"]
    parts += [f"lr {value_text(group.lr)}"] if group.lr is not None else []
    parts += [f"wd {value_text(group.weight_decay)}"] if group.weight_decay is not None else []
    return f"{group_name(group, groups)}: {', '.join([*parts, *filter(None, [value_text(group.own)])])}"


def _scheduler(experiment: Experiment, plan: Plan | None) -> PartText:
    scheduler = experiment.scheduler
    if scheduler is None:
        return PartText("none", ("a constant rate",))
    warmup = f"warm-up {value_text(scheduler.warmup_epochs)} epochs" if scheduler.warmup_epochs else ""
    return PartText(scheduler.type, (warmup,) if warmup else ())


_SHORT = {"clip_grad_norm": "clip", "clip_grad_value": "clip value"}


def _regularization(experiment: Experiment, plan: Plan | None) -> PartText:
    regularization = experiment.regularization
    decay = (plan.experiment if plan is not None else experiment).optimizer.parameters.get("weight_decay")
    parts = [f"weight decay {value_text(decay)}"] if decay else []
    for name, value in regularization:
        if value and name != "l1_layers":
            shown = value.type if name == "average" else value_text(value)
            parts.append(f"{_SHORT.get(name, name)} {shown}")
    return PartText(parts[0], tuple(parts[1:])) if parts else PartText("none")


def _training(experiment: Experiment, plan: Plan | None) -> PartText:
    training = experiment.training
    stopping = training.early_stopping
    details = [f"{plan.steps:,} steps"] if plan and plan.steps else []
    details += [f"{stopping.monitor}, patience {stopping.patience}"] if stopping else ["no early stopping"]
    return PartText(f"{training.epochs:,} epoch{'s' if training.epochs != 1 else ''}", tuple(details))


def _device(experiment: Experiment, plan: Plan | None) -> PartText:
    training = experiment.training
    if plan is None or not plan.device:
        return PartText(training.device, () if training.amp == "auto" else (f"amp {training.amp}",))
    asked = f"{training.device} → " if training.device != plan.device else ""
    return PartText(f"{asked}{plan.device}", (f"{plan.precision} · {threads_text(plan)}",))


_PART_TEXTS = {
    "data": _data,
    "model": _model,
    "loss": _loss,
    "optimizer": _optimizer,
    "scheduler": _scheduler,
    "regularization": _regularization,
    "training": _training,
    "device": _device,
}


def threads_text(plan: Plan) -> str:
    """Return the CPU threads of a plan: `2 threads`."""
    return f"{plan.threads} thread{'s' if plan.threads != 1 else ''}"


def device_text(plan: Plan | None) -> str:
    """Return the device, precision and threads of a plan for the header."""
    return f"{plan.device} · {plan.precision} · {threads_text(plan)}" if plan is not None and plan.device else ""


def part_rows(draft: Draft, plan: Plan | None, width: int, *, details: bool) -> list[Content]:
    """Return a row for each part of the experiment; with `details`, more lines below its value."""
    experiment = draft.experiment
    if experiment is None:
        return []
    by_part: dict[str | None, list[Mistake]] = {}
    for mistake in mistakes_of(draft, plan):
        if not mistake.path.startswith("model.layers["):
            by_part.setdefault(part_of(mistake.path), []).append(mistake)
    rows = []
    for part, name in PARTS.items():
        text = part_text(part, experiment, plan)
        wrong = by_part.get(part, [])
        lines: list[Content | tuple[str, str] | str] = [
            (_mark(wrong), WRONG),
            (left(name, 10), MUTED),
            left(text.value, width - 12).rstrip(),
        ]
        for detail in cut_apart(text.details, width - 12) if details else ():
            lines += ["\n" + " " * 12, (detail, MUTED)]
        for mistake in wrong:
            lines += ["\n", _mistake_lines(mistake, width, indent=2)]
        rows.append(Content.assemble(*lines))
    return rows


_BAR = 6

LAYER_COLUMNS = (
    Column(right=True, least=4),  # number
    Column(least=12, fills=True),  # label
    Column(right=True, least=8),  # shape
    Column(right=True, spare=2),  # parameters
    Column(right=True, spare=1),  # FLOPs
    Column(right=True, spare=1),  # memory
    Column(right=True, spare=1),  # share of the parameters
)
"""The columns of the layer table. FLOPs, memory and share are shown only if nothing is cut for them."""

LAYER_HEADINGS = ("#", "layer", "output", "params", "FLOPs", "memory", "share of params")
_LEAST_LABEL = " " * 20
"""The least width of the label before FLOPs, memory and share are shown."""
_MARK = 2


def layer_heading(draft: Draft, plan: Plan | None, width: int, folded: Collection[str] = ()) -> Content:
    """Return the heading of the layer table."""
    cells, _ = _layer_table(draft, plan, width, folded)
    line = table([LAYER_HEADINGS], LAYER_COLUMNS, width - _MARK, cells=cells)[0]
    return Content.styled(" " * _MARK + line.plain, MUTED)


def _layer_table(
    draft: Draft, plan: Plan | None, width: int, folded: Collection[str]
) -> tuple[list[int], list[tuple[str, ...]]]:
    """Return the width of each column, and the cells of the input and of each visible layer."""
    shape = shape_text(plan.description.input_shape) if plan is not None and plan.description else ""
    planned = {layer.path: layer for layer in plan.layers} if plan is not None else {}
    rows: list[tuple[str, ...]] = [("", "input", shape, "", "", "", "")]
    for place in visible(draft, folded):
        layer = planned.get(place.path)
        label = layer.label if layer is not None else label_of(place.layer)
        if any(getattr(place.layer, name) is not None for name in CONTAINER_FIELDS):
            count = sum(1 for _ in walk_layers((place.layer,))) - 1
            label = f"▸ {label} ({count})" if place.path in folded else f"▾ {label}"
        shape = shape_text(layer.output_shape) if layer is not None else ""
        parameters = f"{layer.parameters:,}" if layer is not None and layer.parameters else ""
        rows.append((place.number, "  " * place.depth + label, shape, parameters, *_more(layer, plan)))
    headings = LAYER_HEADINGS if plan is not None else LAYER_HEADINGS[:4] + ("",) * 3
    return cell_widths([headings, ("", _LEAST_LABEL, *("",) * 5), *rows], LAYER_COLUMNS, width - _MARK), rows


def _more(layer: LayerPlan | None, plan: Plan | None) -> tuple[str, str, str]:
    """Return a layer's FLOPs and memory for one sample, and its share of the parameters as a bar and a number."""
    if layer is None or plan is None:
        return "", "", ""
    flops = scaled_text(layer.flops, "FLOP") if layer.flops else ""
    memory = scaled_text(layer.activation_bytes, "B") if layer.activation_bytes else ""
    if not layer.parameters or not plan.parameters:
        return flops, memory, ""
    share = layer.parameters / plan.parameters
    filled = "━" * round(share * _BAR)
    return flops, memory, f"{filled:─<{_BAR}}{100 * share:6.1f} %"


def visible(draft: Draft, folded: Collection[str] = ()) -> list[Place]:
    """Return the layers that the table shows: all except those in folded containers."""
    layers: Sequence[Layer] = draft.experiment.model.layers if draft.experiment else ()
    inside = tuple(f"{path}." for path in folded)
    return [place for place in walk_layers(layers) if not place.path.startswith(inside)]


def layer_rows(
    draft: Draft, plan: Plan | None, width: int, folded: Collection[str] = (), marked: Collection[str] = ()
) -> list[Content]:
    """Return a row for the input and for each layer: number, label, output shape, parameters, mistake and fix.

    Layers are numbered from 0, as in the document's paths and in the keys of torch's state_dict.

    Args:
        folded: paths of folded containers.
        marked: paths of the marked layers, if there are several.
    """
    cells, texts = _layer_table(draft, plan, width, folded)
    lines = table(texts, LAYER_COLUMNS, width - _MARK, cells=cells)
    planned = {layer.path: layer for layer in plan.layers} if plan is not None else {}
    rows = [Content.styled(" " * _MARK + lines[0].plain, MUTED)]
    for place, line in zip(visible(draft, folded), lines[1:], strict=True):
        layer = planned.get(place.path)
        wrong = layer.mistake if layer is not None else _form_mistake(draft, place.path)
        mark = "▌ " if place.path in marked else _mark([wrong] if wrong else [])
        rows.append(_layer_row(mark + line.plain, wrong, width, marked=place.path in marked))
    if len(rows) == 1 and draft.experiment is not None:
        rows.append(Content.styled(left("      no layers yet: press a to add one", width), MUTED))
    return rows


def label_of(layer: Layer) -> str:
    """Return a layer in a few words, before it was checked."""
    return " ".join([layer.type, *_given(layer, names=False)])


def _form_mistake(draft: Draft, path: str) -> Mistake | None:
    return next((m for m in draft.mistakes if m.path == path or m.path.startswith(f"{path}.")), None)


def _layer_row(line: str, wrong: Mistake | None, width: int, *, marked: bool) -> Content:
    if wrong is None:
        return Content.styled(line, "$text-accent") if marked else Content(line)
    return Content.assemble((line, WRONG), "\n", _mistake_lines(wrong, width, indent=6))


def _mark(mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return "  "
    return "✗ " if any(m.severity == "error" for m in mistakes) else "! "


def _mistake_lines(mistake: Mistake, width: int, indent: int) -> Content:
    """Return a mistake and its fix, wrapped, for the lines below its row."""
    room = max(12, width - indent)
    what = "; ".join(filter(None, (mistake.found, mistake.expected)))
    key = mistake.path.rpartition(".")[2]
    if "." in mistake.path and "]" not in key and key not in what:
        what = f"{key}: {what}"
    found = "\n".join(" " * indent + line for line in wrap(what, room))
    fix = "\n".join(" " * indent + line for line in wrap(f"fix: {mistake.fix}", room)) if mistake.fix else ""
    return Content.assemble((found, WRONG), *(["\n", fix] if fix else []))


def totals(plan: Plan | None, width: int) -> tuple[str, str]:
    """Return the model's size and cost: the part that fits in `width` cells, and the rest."""
    if plan is None or not plan.layers:
        return "", ""
    parts = [f"{plan.parameters:,} parameters"]
    parts += [f"{plan.frozen:,} frozen"] if plan.frozen else []
    parts += [f"{scaled_text(plan.flops, 'FLOP')}/sample"] if plan.flops else []
    parts += [f"{scaled_text(plan.memory_bytes, 'B')} a step"] if plan.memory_bytes else []
    fit = len(parts)
    while fit > 1 and len(" · ".join(parts[:fit])) > width:
        fit -= 1
    return " · ".join(parts[:fit]), " · ".join(parts[fit:])


def general_mistakes(draft: Draft, plan: Plan | None) -> tuple[Mistake, ...]:
    """Return the mistakes that belong to no part and no layer: an unreadable file, an unknown key."""
    experiment = plan.experiment if plan is not None else draft.experiment
    placed = draft.experiment is not None and experiment is not None
    return tuple(m for m in mistakes_of(draft, plan) if not placed or part_of(m.path) is None)


def value_rows(rows: Sequence[tuple[str, str]], width: int, style: str = "") -> list[Content]:
    """Return lines with names at the left and values at the right; a long pair takes two lines."""
    lines = []
    for name, value in rows:
        if len(name) + len(value) + 2 <= width:
            lines.append(Content.assemble((name, style or MUTED), (right(value, width - len(name)), style)))
        else:
            lines.append(Content.assemble((name, style or MUTED), "\n", (right(value, width), style)))
    return lines


def value_text(value: Any) -> str:
    """Return a value as in a document, without quotes: `0.003`, `same`, `0.9, 0.999`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_text(item)}" for key, item in value.items())
    if isinstance(value, Choice):
        return " ".join([value.type, *_given(value)])
    if isinstance(value, BaseModel):
        return " ".join(value_text(item) if key == "type" else f"{key} {value_text(item)}" for key, item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _given(choice: Choice, *, names: bool = True) -> Iterator[str]:
    for name, value in choice.parameters.items():
        yield f"{name} {value_text(value)}" if names else value_text(value)
