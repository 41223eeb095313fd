"""What the selected part or layer is: its parameters, what it does, when to use it, its torch name. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from textual.content import Content

from engine.experiment import Choice, Experiment
from engine.experiment.document import EarlyStopping, Layer, Model, Optimizer, Regularization, Training
from engine.experiment.tree import HELD, by_path
from tui.design_rows import MUTED, given_and_defaults, layer_at, value_rows, value_text
from tui.quantities import scaled_text, shape_text

if TYPE_CHECKING:
    from engine.experiment import Draft
    from engine.plan import Plan

LOADING = "loading torch…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An entry of the catalog or a data source, as far as a person needs it to decide."""

    name: str
    torch_name: str = ""
    summary: str = ""
    when: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Every parameter with its default; empty while torch is not there to be asked."""


_DATA_FIELDS: tuple[str, ...] = ("validation", "test", "batch_size")

Explain = Callable[[str, str], Explained | None]
"""From a kind of the catalog (or "sources") and a name to what is known of it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the cursor is on: one of the parts, or a row of the layer table (0 is the input)."""

    part: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A panel's title and what is in it."""

    title: str
    text: Content


def explanation(selection: Selection, draft: Draft, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    """What the panel beside the model says about `selection`."""
    experiment = plan.experiment if plan is not None else draft.experiment
    if experiment is None or draft.experiment is None:
        return Explanation("", Content(""))
    given = draft.experiment
    if selection.row is not None:
        if selection.row == 0:
            return _data(given, experiment, plan, explain, width)
        return _layer(selection.row, given, experiment, plan, explain, width)
    match selection.part:
        case "data":
            return _data(given, experiment, plan, explain, width)
        case "model":
            return _model(experiment, plan, explain, width)
        case "loss":
            return _choice("losses", given.loss, experiment.loss, explain, width)
        case "optimizer":
            chosen = _choice("optimizers", given.optimizer, experiment.optimizer, explain, width)
            own = ("no_bias_decay", "groups")
            groups = [(value_text(g.layers), value_text(g.parameters)) for g in given.optimizer.groups] or [
                ("groups", "none")
            ]
            rows = [("no_bias_decay", value_text(given.optimizer.no_bias_decay)), *groups]
            more = _sections(value_rows(rows, width), _helps(Optimizer, own))
            return Explanation(chosen.title, Content("\n\n").join([chosen.text, more]))
        case "scheduler":
            return _scheduler(given, experiment, plan, explain, width)
        case "regularization":
            return _regularization(given.regularization, width)
        case "device":
            return _fields("Device", given.training, Training, ("device", "amp", "threads"), width, _device(plan))
        case _:
            return _training(given, width)


def _sections(*sections: Iterable[Content | str]) -> Content:
    """Blocks of lines with an empty line between them; empty ones are left out."""
    blocks = [Content("\n").join(lines) for lines in map(list, sections) if lines]
    return Content("\n\n").join(blocks)


def _values(given: Mapping[str, Any], defaults: Mapping[str, Any], width: int) -> tuple[list[Content], list[Content]]:
    said, rest = given_and_defaults(given, defaults)
    heading = [Content.styled("defaults", f"italic {MUTED}")] if rest else []
    return value_rows(said, width, "bold"), heading + value_rows(rest, width, MUTED)


def _about(explained: Explained | None) -> Sequence[Iterable[Content | str]]:
    if explained is None:
        return ()
    torch_name = [Content.styled(explained.torch_name, "$text-accent")] if explained.torch_name else []
    return ([explained.summary] if explained.summary else []), ([explained.when] if explained.when else []), torch_name


def _choice(kind: str, given: Choice, complete: Choice, explain: Explain, width: int) -> Explanation:
    explained = explain(kind, complete.type)
    defaults = {**(explained.defaults if explained else {}), **complete.parameters}
    return Explanation(complete.type, _sections(*_values(given.parameters, defaults, width), *_about(explained)))


def _scheduler(given: Experiment, complete: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    if given.scheduler is None or complete.scheduler is None:
        return Explanation("no scheduler", Content("The learning rate stays as it is over the whole run."))
    explained = explain("schedulers", complete.scheduler.type)
    own: dict[str, Any] = {name: getattr(given.scheduler, name) for name in ("interval", "warmup_epochs")}
    said = {name: value for name, value in own.items() if name in given.scheduler.model_fields_set}
    defaults = {**(explained.defaults if explained else {}), **complete.scheduler.parameters}
    defaults |= {name: getattr(complete.scheduler, name) for name in own}
    rates = []
    if plan is not None and plan.lr:
        first, last, top = plan.lr[0], plan.lr[-1], plan.highest_lr
        rates = value_rows([("first rate", f"{first:.3g}"), ("highest", f"{top:.3g}"), ("last", f"{last:.3g}")], width)
    given_values = {**given.scheduler.parameters, **said}
    return Explanation(
        complete.scheduler.type, _sections(*_values(given_values, defaults, width), rates, *_about(explained))
    )


def _layer(
    row: int, given: Experiment, complete: Experiment, plan: Plan | None, explain: Explain, width: int
) -> Explanation:
    planned = layer_at(plan, row)
    layers, asked_layers = by_path(complete.model.layers), by_path(given.model.layers)
    path = planned.path if planned is not None else ([*layers, *[""] * row])[row - 1]
    if path not in layers:
        return Explanation(planned.type if planned else "", Content(""))
    layer = layers[path]
    asked = asked_layers[path].parameters if path in asked_layers else {}
    held = {name: getattr(layer, name) for name in HELD if getattr(layer, name) is not None}
    asked = asked | {name: f"{len(inside)} of them" for name, inside in held.items()}
    explained = explain("layers", layer.type)
    defaults = {**(explained.defaults if explained else {}), **layer.parameters}
    costs: list[tuple[str, str]] = []
    if planned is not None and planned.output_shape:
        costs = [("output", shape_text(planned.output_shape))]
        costs += [("parameters", f"{planned.parameters:,}")] if planned.parameters else []
        costs += [("work", f"{scaled_text(planned.flops, 'FLOP')}/sample")] if planned.flops else []
        costs += [("activations", f"{scaled_text(planned.activation_bytes, 'B')}")] if planned.activation_bytes else []
    starts = value_rows(_starts(layer, ("init", "recurrent_init", "bias_init", "forget_bias")), width)
    values = _values(asked, defaults, width)
    return Explanation(layer.type, _sections(*values, starts, value_rows(costs, width), *_about(explained)))


def _data(given: Experiment, complete: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    data = given.data
    explained = explain("sources", data.source)
    said = {name: getattr(data, name) for name in _DATA_FIELDS if name in data.model_fields_set}
    defaults: dict[str, Any] = {**(explained.defaults if explained else {}), **complete.data.parameters}
    defaults |= {name: getattr(complete.data, name) for name in _DATA_FIELDS}
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
    values = _values({**data.parameters, **said}, defaults, width)
    return Explanation(data.source, _sections(*values, value_rows(found, width), *_about(explained), notes))


def _model(experiment: Experiment, plan: Plan | None, explain: Explain, width: int) -> Explanation:
    rows: list[tuple[str, str]] = []
    if plan is not None and plan.layers:
        rows = [
            ("layers", f"{len(plan.layers)}"),
            ("parameters", f"{plan.parameters:,}"),
            ("work", f"{scaled_text(plan.flops, 'FLOP')}/sample"),
            ("memory, one step", scaled_text(plan.memory_bytes, "B")),
        ]
    init = experiment.model.init
    begun = [Content.assemble(("initialised by ", MUTED), init.type if init else "torch's own rules of each layer")]
    begun += value_rows(
        _starts(experiment.model, ("init_by_type", "recurrent_init", "bias_init", "forget_bias")), width
    )
    about = _about(explain("initializers", init.type)) if init else ()
    return Explanation("Model", _sections(value_rows(rows, width), begun, *about))


def _regularization(part: Regularization, width: int) -> Explanation:
    average = part.average
    of_average = [] if average is None else _helps(type(average), [n for n, _ in average if n != "type"])
    names = tuple(Regularization.model_fields)
    return _fields("Regularization", part, Regularization, names, width, helps=of_average)


def _starts(part: Model | Layer, names: Sequence[str]) -> list[tuple[str, str]]:
    """What is said about how weights start, beside torch's own."""
    return [(name, value_text(value)) for name in names if (value := getattr(part, name)) is not None]


def _training(given: Experiment, width: int) -> Explanation:
    training = given.training
    stopping = training.early_stopping
    names = ("epochs", "accumulation_steps", "checkpoint_every_s")
    stops: list[Content] = [Content.styled("no early stopping: the run goes to its last epoch", MUTED)]
    helps: list[Content | str] = []
    if stopping is not None:
        fields = tuple(EarlyStopping.model_fields)
        stops = [Content.styled("early stopping", f"italic {MUTED}")]
        stops += value_rows([(name, value_text(getattr(stopping, name))) for name in fields], width)
        helps = _helps(EarlyStopping, ("patience", "min_delta", "threshold", "restore_best"))
    values = value_rows([(name, value_text(getattr(training, name))) for name in names], width)
    return Explanation("Training", _sections(values, stops, _helps(Training, names), helps))


def _device(plan: Plan | None) -> tuple[tuple[str, str], ...]:
    if plan is None or not plan.device:
        return ()
    return (("trains on", plan.device), ("computes in", plan.precision), ("threads used", f"{plan.threads}"))


def _fields(
    title: str,
    part: BaseModel,
    model: type[BaseModel],
    names: Sequence[str],
    width: int,
    found: Sequence[tuple[str, str]] = (),
    helps: Iterable[Content | str] = (),
) -> Explanation:
    values = value_rows([(name, value_text(getattr(part, name))) for name in names], width)
    return Explanation(title, _sections(values, value_rows(found, width), _helps(model, names), helps))


def _helps(model: type[BaseModel], names: Sequence[str]) -> list[Content | str]:
    said = ((name, model.model_fields[name].description) for name in names)
    return [Content.assemble((f"{name}  ", "bold"), text) for name, text in said if text]


def field_defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a declaration with their defaults; a field without one is "required"."""
    return {
        name: "required" if info.is_required() else info.get_default(call_default_factory=True)
        for name, info in model.model_fields.items()
    }
