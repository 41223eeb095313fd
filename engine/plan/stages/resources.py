"""The resources stage: device, precision, memory, CPU threads and files that a run needs."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Optimizer

from engine.catalog.optimizers import HIDDEN_ONLY
from engine.devices import resolve_device, resolve_precision, resolve_threads
from engine.experiment.mistakes import Refused
from engine.model.published_weights import weights_files
from engine.plan.context import CheckContext
from engine.plan.rules.registry import checked

_FLOAT_BYTES = 4
_BACKWARD_COST = 3
"""Work of forward and backward together, as a multiple of the forward pass: the backward pass has two products for
each of the forward pass."""


def resources(context: CheckContext) -> CheckContext:
    """Resolve the device and the precision, estimate memory and work, and list the files to download."""
    context = resolved(context)
    experiment = context.experiment
    averaged = experiment.regularization.average is not None
    state = state_numbers(context.optimizer) if context.optimizer is not None else 2
    if experiment.optimizer.type in HIDDEN_ONLY:
        state = 2  # the optimizer of the other parameters mostly has as many
    parameters, frozen, batch_size = context.parameters, context.frozen, experiment.data.batch_size
    weights_bytes = (parameters * (1 + averaged) + (parameters - frozen) * (1 + state)) * _FLOAT_BYTES
    activation_bytes = sum(layer.activation_bytes for layer in context.outermost) * batch_size
    if context.precision != "float32":
        activation_bytes //= 2
    context = replace(
        context,
        weights_bytes=weights_bytes,
        memory_bytes=weights_bytes + activation_bytes,
        threads=resolve_threads(experiment.training.threads, _BACKWARD_COST * context.flops * batch_size),
        files=tuple(weights_files(experiment.model.layers)),
    )
    return checked("resources", context)


def resolved(context: CheckContext) -> CheckContext:
    """With the device and the precision that the document's settings mean on this machine."""
    training = context.experiment.training
    device = context.device
    try:
        device = resolve_device(training.device)
        return replace(context, device=device, precision=resolve_precision(training.amp, device))
    except Refused as refused:
        return replace(context, device=device, mistakes=(*context.mistakes, *refused.mistakes))


def state_numbers(optimizer: Optimizer) -> int:
    """Numbers that an optimizer stores for each weight."""
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
