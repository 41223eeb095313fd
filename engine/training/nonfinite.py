"""Infinity and NaN: kept from the weights, and traced to the samples or the layer where they begin.

N batch, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.data.description import Description
from engine.model.containers import CONTAINERS
from engine.model.selection import modules_at
from engine.plan import LayerPlan
from engine.training.batches import Batch
from engine.training.optimizer import CombinedOptimizer
from engine.training.precision import MixedPrecision
from engine.training.regularization import Regularizer

_NAMED_SAMPLES = 3
"""Number of samples that a sentence names one by one."""


class NotFinite(Exception):
    """The loss, a gradient or a weight is no longer finite; has the epoch and the step at which this happened."""

    def __init__(
        self,
        epoch: int,
        step: int,
        lr: float,
        remedy: str = "regularization.clip_grad_norm",
        what: str = "The loss",
        rate_field: str = "optimizer.lr",
    ) -> None:
        super().__init__(epoch, step, lr, remedy, what, rate_field)
        self.rate_field = rate_field
        self.epoch, self.step, self.lr, self.remedy, self.what = epoch, step, lr, remedy, what
        self.began = ""
        """Where it began, as a clause, once that is known."""

    def __str__(self) -> str:
        began = f": {self.began}" if self.began else ""
        return (
            f"{self.what} stopped being finite at step {self.step}, in epoch {self.epoch}, with a learning rate of "
            f"{self.lr:.3g}{began}. Lower {self.rate_field}, or set {self.remedy}"
        )


class Guard:
    """Checks every gradient before the optimizer steps, at less than a hundredth of the time of a step.

    On a CPU the result is known immediately. On a GPU it stays on the device, where torch's fused optimizers skip a
    step by it, as they do for a GradScaler, and it is fetched with the losses. A GradScaler does all this itself.
    Where the device or a sparse gradient supports no such check, the losses alone show it, and the run returns to a
    checkpoint.

    Args:
        waits: whether to wait for each result, which costs nothing on a CPU.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Tensor], *, waits: bool) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.waits = waits
        device = self.parameters[0].device if self.parameters else torch.device("cpu")
        self._found = torch.zeros((), device=device)
        self._one = torch.ones((), device=device)
        self._seen = torch.zeros((), device=device)
        parts = optimizer.parts if isinstance(optimizer, CombinedOptimizer) else (optimizer,)
        if not waits and all(getattr(part, "_step_supports_amp_scaling", False) for part in parts):
            for part in parts:
                part.found_inf = self._found  # type: ignore[attr-defined]

    def passes(self) -> bool:
        """Return whether the gradients, unscaled by now, are finite as far as the host knows."""
        gradients = [p.grad for p in self.parameters if p.grad is not None and not p.grad.is_sparse]
        if not gradients:
            return True
        if not self.waits:
            self._found.zero_()
        # What a GradScaler calls: one pass over all gradients, which are multiplied by 1.
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._found, self._one)
        if not self.waits:
            torch.maximum(self._seen, self._found, out=self._seen)
            return True
        if self._found.item():
            self._found.zero_()
            return False
        return True

    def fetch(self) -> bool:
        """Return whether every gradient since the last call was finite, where `passes` cannot tell.

        Waits for the device.
        """
        if self.waits:
            return True
        finite = not self._seen.item()
        self._seen.zero_()
        return finite


def guard_of(optimizer: Optimizer, network: nn.Module, precision: MixedPrecision) -> Guard | None:
    """Return the guard of a run; None where a gradient scaler does its work, or the device supports none."""
    if precision.scaler is not None or precision.device_type == "mps":
        return None
    return Guard(optimizer, list(network.parameters()), waits=precision.device_type == "cpu")


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Return whether no value of any tensor is infinite or NaN. Waits for the device."""
    floats = [t.detach() for t in tensors if t.is_floating_point() and t.numel()]
    # A sum overflows only where values are close to the largest number of a float.
    return not floats or bool(torch.stack([t.sum(dtype=torch.float32) for t in floats]).isfinite().all())


@dataclass(frozen=True, slots=True)
class NonFiniteSamples:
    """Validation samples whose loss is not finite, and a sentence about them."""

    samples: str
    """`validation samples 5, 7`; samples count from 1, in the order of the validation part."""
    sentence: str


def nonfinite_samples(
    criterion: nn.Module, batch: Batch, output: Tensor, begin: int, description: Description
) -> NonFiniteSamples:
    """Find the samples of a validation batch whose loss is not finite, and the largest value of their inputs.

    Waits for the device.

    Args:
        output: the network's output for the batch, (N, …).
        begin: number of validation samples before this batch.
    """
    finite = output.isfinite().flatten(1).all(1)
    what = "the network's output is not finite"
    if bool(finite.all()):
        losses = [criterion(output[i : i + 1], batch.target[i : i + 1]) for i in range(batch.size)]
        finite = torch.stack(losses).isfinite()
        what = "the network's output is finite, its loss is not"
    bad = (~finite).nonzero().flatten().tolist()
    if not bad:  # each loss is finite, their sum is not
        samples = f"validation samples {begin + 1} to {begin + batch.size}"
        return NonFiniteSamples(samples, f"val_loss is not finite: the losses of {samples} overflow when added up.")
    named = ", ".join(str(begin + i + 1) for i in bad[:_NAMED_SAMPLES])
    more = f" and {len(bad) - _NAMED_SAMPLES:,} more" if len(bad) > _NAMED_SAMPLES else ""
    samples = f"validation sample{'s' * (len(bad) > 1)} {named}{more}"
    sentence = f"val_loss is not finite: for {samples} {what}.{_input_sentence(batch.inputs[0][bad[0]], description)}"
    return NonFiniteSamples(samples, sentence)


def _input_sentence(x: Tensor, description: Description) -> str:
    """Describe the largest value of one sample's input, with the name of its feature where it has one."""
    if not x.is_floating_point():
        return ""
    flat = x.flatten()
    if not bool(flat.isfinite().all()):
        return " Its input is not finite."
    at = int(flat.abs().argmax())
    names = description.features
    name = f" in {names[at % len(names)]}" if names and flat.numel() % len(names) == 0 else ""
    return f" Its input to the network reaches {float(flat[at]):.3g}{name}."


def first_nonfinite(
    network: nn.Module,
    criterion: nn.Module,
    precision: MixedPrecision,
    regularizer: Regularizer,
    layers: Sequence[LayerPlan],
    batches: Sequence[Batch],
) -> str:
    """Repeat a step on its batches to find the first value that is not finite. Returns a clause; empty if none is.

    Checks in the order of a step: the batches, the weights, the outputs, the loss, the gradients. Leaves gradients
    behind and uses random numbers: afterwards the run ends, or returns to a checkpoint.
    """
    leaves = [layer for layer in layers if layer.type not in CONTAINERS]
    for batch in batches:
        if not all_finite([*batch.inputs, batch.target]):
            return "the batch itself holds a value that is not finite, so look at the data"
    for layer in leaves:
        if not all_finite([p for module in modules_at(network, layer.path) for p in module.parameters()]):
            return f"a weight of {layer.path} {layer.type} is not finite"
    for batch in batches:
        if clause := _first_in_step(network, criterion, precision, regularizer, leaves, batch):
            return clause
    return ""


def _first_in_step(
    network: nn.Module,
    criterion: nn.Module,
    precision: MixedPrecision,
    regularizer: Regularizer,
    leaves: Sequence[LayerPlan],
    batch: Batch,
) -> str:
    recorded: list[tuple[LayerPlan, list[Tensor]]] = []
    """The outputs of each layer, in the order in which the forward pass calls them."""

    def record_outputs_of(layer: LayerPlan) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            outputs = list(_tensors(output))
            for tensor in outputs:
                if tensor.requires_grad:
                    tensor.retain_grad()
            recorded.append((layer, outputs))

        return record

    handles = [
        module.register_forward_hook(record_outputs_of(layer))
        for layer in leaves
        for module in modules_at(network, layer.path)
    ]
    try:
        with precision.autocast():
            loss = batch.loss(criterion, network(*batch.inputs))
        for layer, outputs in recorded:
            if not all_finite(outputs):
                return f"the output of {layer.path} {layer.type} is the first that is not finite"
        if not all_finite([loss]):
            return "the network's output is finite, its loss is not"
        network.zero_grad()
        regularizer.objective(loss).backward()
        after = "the loss"
        for layer, outputs in reversed(recorded):
            if not all_finite([t.grad for t in outputs if t.grad is not None]):
                return f"the loss is finite; on the way back the gradient behind {after} is not"
            after = f"{layer.path} {layer.type}"
        for layer in reversed(leaves):
            parameters = [p for module in modules_at(network, layer.path) for p in module.parameters()]
            if not all_finite([p.grad for p in parameters if p.grad is not None]):
                return f"the loss is finite, the gradient of {layer.path} {layer.type} is not"
        return ""
    finally:
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of a layer's output, which may be nested in tuples and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
