"""The explanation of the selected part or layer: its plan, what it does, when to use it, its torch name. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from inspect import cleandoc
from typing import TYPE_CHECKING

from textual.content import Content

from engine import Experiment, Regularization, Training, layers_by_path, sentences_by_class
from tui.quantities import scaled_text, shape_text
from tui.rows.design import MUTED, value_rows

if TYPE_CHECKING:
    from engine import Draft, Plan

LOADING = "loading torch…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a person needs to know about an entry of the catalog or a data source to choose it."""

    name: str
    torch_name: str = ""
    summary: str = ""
    when: str = ""
    when_not: str = ""
    formula: str = ""


Explain = Callable[[str, str], Explained | None]
"""Explains an entry, given a kind of the catalog (or "sources") and a name."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection: a part of the experiment, or the path of a layer."""

    part: str = ""
    path: str = ""

    @property
    def place(self) -> str:
        """The path in the document whose form is shown."""
        return self.path or self.part


@dataclass(frozen=True, slots=True)
class Explanation:
    """The title of a panel, and its text about the selection."""

    title: str
    text: Content


def explanation(selection: Selection, draft: Draft, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    """Return the explanation of a selection."""
    experiment = plan.experiment if plan is not None else draft.experiment
    if experiment is None or draft.experiment is None:
        return Explanation("", Content(""))
    if selection.path:
        return _layer(selection.path, experiment, plan, explain, width)
    match selection.part:
        case "data":
            return _data(experiment, plan, explain, width)
        case "model":
            return _model(experiment, plan, explain, width)
        case "loss":
            return _loss(experiment, plan, explain)
        case "optimizer":
            return _entry("optimizers", experiment.optimizer.type, explain)
        case "scheduler":
            return _scheduler(experiment, explain)
        case "regularization":
            return Explanation("Regularization", Content(cleandoc(Regularization.__doc__ or "")))
        case "device":
            return Explanation("Device", _sections(value_rows(_device(plan), width), [_ABOUT_DEVICE]))
        case _:
            return Explanation("Training", Content(cleandoc(Training.__doc__ or "")))


_ABOUT_DEVICE = "The device to train on and the precision. auto uses a GPU if there is one."


def _sections(*sections: Iterable[Content | str]) -> Content:
    """Join blocks of lines with an empty line between them; empty blocks are left out."""
    blocks = [Content("\n").join(lines) for lines in map(list, sections) if lines]
    return Content("\n\n").join(blocks)


def _about(explained: Explained | None) -> Sequence[Iterable[Content | str]]:
    if explained is None:
        return ()
    torch_name = [Content.styled(explained.torch_name, "$text-accent")] if explained.torch_name else []
    formula = [Content.styled(explained.formula, "$text-accent")] if explained.formula else []
    return (
        [explained.summary] if explained.summary else [],
        formula,
        [_labelled("When: ", explained.when)] if explained.when else [],
        [_labelled("Not: ", explained.when_not)] if explained.when_not else [],
        torch_name,
    )


def _labelled(label: str, text: str) -> Content:
    return Content.assemble((label, MUTED), text)


def _entry(kind: str, name: str, explain: Explain) -> Explanation:
    return Explanation(name, _sections(*_about(explain(kind, name))))


def entry_text(explained: Explained | None) -> Content | None:
    """Return an entry in a few lines, for a list to choose from."""
    return None if explained is None else Content("\n").join([line for lines in _about(explained) for line in lines])


def _loss(experiment: Experiment, plan: Plan | None, explain: Explain) -> Explanation:
    about = _entry("losses", experiment.loss.type, explain)
    if plan is None or plan.description is None:
        return about
    sentences = sentences_by_class(experiment.loss, plan.description.classes)
    return replace(about, text=_sections(sentences, [about.text])) if sentences else about


def _scheduler(experiment: Experiment, explain: Explain) -> Explanation:
    if experiment.scheduler is None:
        return Explanation("no scheduler", Content("The learning rate is constant over the whole run."))
    return _entry("schedulers", experiment.scheduler.type, explain)


def _layer(path: str, experiment: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    planned = next((layer for layer in plan.layers if layer.path == path), None) if plan is not None else None
    layer = layers_by_path(experiment.model.layers).get(path)
    if layer is None:
        return Explanation(planned.type if planned else "", Content(""))
    costs: list[tuple[str, str]] = []
    if planned is not None and planned.output_shape:
        costs = [("output", shape_text(planned.output_shape))]
        costs += [("parameters", f"{planned.parameters:,}")] if planned.parameters else []
        costs += [("frozen", f"{planned.frozen:,}")] if planned.frozen else []
        costs += [("work", f"{scaled_text(planned.flops, 'FLOP')}/sample")] if planned.flops else []
        costs += [("activations", f"{scaled_text(planned.activation_bytes, 'B')}")] if planned.activation_bytes else []
    notes = planned.sentences if planned is not None else ()
    return Explanation(layer.type, _sections(value_rows(costs, width), notes, *_about(explain("layers", layer.type))))


def _data(experiment: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    explained = explain("sources", experiment.data.source)
    found: list[tuple[str, str]] = []
    notes: list[Content | str] = []
    description = plan.description if plan is not None else None
    if description is not None:
        found = [
            ("one sample", f"{shape_text(description.input_shape)} {description.input_kind}"),
            ("task", description.task),
            ("train", f"{description.train_samples:,}"),
            ("validation", f"{description.val_samples:,}"),
        ]
        found += [("test", f"{description.test_samples:,}")] if description.test_samples else []
        found += [("classes", f"{len(description.classes)}")] if description.classes else []
        found += [("vocabulary", f"{description.vocabulary_size:,}")] if description.vocabulary_size else []
        found += [("memory", scaled_text(description.bytes, "B"))]
        notes = list(description.notes)
    return Explanation(experiment.data.source, _sections(value_rows(found, width), *_about(explained), notes))


def _model(experiment: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    rows: list[tuple[str, str]] = []
    if plan is not None and plan.layers:
        rows = [
            ("layers", f"{len(plan.layers)}"),
            ("parameters", f"{plan.parameters:,}"),
            *([("frozen", f"{plan.frozen:,}")] if plan.frozen else []),
            ("work", f"{scaled_text(plan.flops, 'FLOP')}/sample"),
            ("memory, one step", scaled_text(plan.memory_bytes, "B")),
        ]
    init = experiment.model.init
    initialised = [Content.assemble(("initialised by ", MUTED), init.type if init else "each layer's default in torch")]
    about = _about(explain("initializers", init.type)) if init else ()
    return Explanation("Model", _sections(value_rows(rows, width), initialised, *about))


def _device(plan: Plan | None) -> tuple[tuple[str, str], ...]:
    if plan is None or not plan.device:
        return ()
    return (("trains on", plan.device), ("computes in", plan.precision), ("threads used", f"{plan.threads}"))
