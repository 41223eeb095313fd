"""Complete experiments: without choices of type "none", and with every default filled in."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from engine.catalog import catalog
from engine.catalog.choices import completed
from engine.catalog.optimizers import HIDDEN_ONLY, OTHERS
from engine.data import with_defaults
from engine.experiment.document import Choice, Experiment, Layer, Optimizer

C = TypeVar("C", bound=Choice | None)


def without_nones(experiment: Experiment) -> Experiment:
    """Without choices of type "none", with which `--set` removes a choice of a preset."""
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


def with_every_default(experiment: Experiment) -> Experiment:
    """The experiment with every default of data source and catalog, as a run stores it."""
    model = experiment.model
    return experiment.model_copy(
        update={
            "data": with_defaults(experiment.data).model_copy(
                update={
                    "transforms": tuple(complete("transforms", choice) for choice in experiment.data.transforms),
                    "augment": tuple(complete("augmentations", choice) for choice in experiment.data.augment),
                }
            ),
            "model": model.model_copy(
                update={
                    "init": complete("initializers", model.init),
                    "init_by_type": {t: complete("initializers", c) for t, c in (model.init_by_type or {}).items()}
                    or None,
                    "recurrent_init": complete("initializers", model.recurrent_init),
                    "bias_init": complete("initializers", model.bias_init),
                    "layers": tuple(_complete_layer(layer) for layer in model.layers),
                }
            ),
            "loss": complete("losses", experiment.loss),
            "optimizer": _complete_optimizer(experiment.optimizer),
            "scheduler": complete("schedulers", experiment.scheduler),
        }
    )


def _complete_layer(layer: Layer) -> Layer:
    inits = {name: complete("initializers", getattr(layer, name)) for name in ("init", "recurrent_init", "bias_init")}
    held: dict[str, Any] = {
        name: tuple(_complete_layer(inner) for inner in getattr(layer, name))
        for name in ("layers", "shortcut")
        if getattr(layer, name) is not None
    }
    if layer.branches is not None:
        held["branches"] = tuple(tuple(_complete_layer(inner) for inner in branch) for branch in layer.branches)
    return complete("layers", layer).model_copy(update={**inits, **held})


def complete(kind: str, choice: C) -> C:
    if choice is None:
        return choice
    declared = {name: getattr(choice, name) for name in type(choice).model_fields}
    given = completed(catalog(kind)[choice.type], choice.parameters)
    return cast(C, type(choice).model_validate({**declared, **given}))


def _complete_optimizer(optimizer: Optimizer) -> Optimizer:
    others = optimizer.others
    if optimizer.type in HIDDEN_ONLY:
        others = complete("optimizers", others or Choice(type=OTHERS))
    return complete("optimizers", optimizer).model_copy(update={"others": others})
