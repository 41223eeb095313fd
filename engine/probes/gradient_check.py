"""Checks that every layer's backward pass is the derivative of its forward pass: autograd against differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from engine.model.containers import CONTAINERS
from engine.model.selection import modules_at
from engine.plan import Plan
from engine.probes.isolation import Isolated
from engine.probes.numerical_gradients import NUDGE, Argument, Function, Stop, Stopped, Verdict, compare
from engine.probes.records import GradientsChecked, LayerChecked
from engine.probes.trial import Trial, require_plan_without_mistakes
from engine.training.batches import Batches

SAMPLES = 3
"""Samples in the batch: the fewest for which batch norm statistics are not constant."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer to check, with its number and label."""

    number: str
    label: str
    module: nn.Module


def check_gradients(plan: Plan, *, stop: Stop = lambda: False) -> Iterator[LayerChecked | GradientsChecked]:
    """Run torch.autograd.gradcheck on every layer of the built model in turn, on its loss, and on both together.

    It runs in float64 on the CPU with one thread: float32 would round numerical differences away. Each layer is checked
    for its parameters and for the input that reaches it from the first samples of the run. Dropout and drop path are
    off, since two passes must agree. Batch norm uses batch statistics as in training: with its running statistics it
    would be another function.

    Up to `AT_MOST` elements are checked one by one; more are checked together, along random directions (gradcheck's
    fast mode). The padding row of an embedding is not checked: torch sets its gradient to zero.

    Args:
        stop: called at every evaluation of a layer; if it returns True, the check ends without a last record.

    Raises:
        Refused: the plan has mistakes.
    """
    require_plan_without_mistakes(plan)
    return _check(plan, stop)


def _check(plan: Plan, stop: Stop) -> Iterator[LayerChecked | GradientsChecked]:
    isolated = Isolated()
    with isolated:
        trial = Trial(replace(plan, device="cpu", precision="float32", threads=1))
        batches = Batches(trial.dataset, "cpu", plan.experiment.data)
        batch = next(batches.training(SAMPLES, plan.experiment.seed, 1))
        parts = [
            Part(layer.number + ("" if len(modules) == 1 else f" copy {copy}"), layer.label, module)
            for layer in plan.layers
            if layer.type not in CONTAINERS
            for modules in [modules_at(trial.network, layer.path)]
            for copy, module in enumerate(modules, start=1)
        ]
        steps = check_parts(
            trial.network, parts, batch.inputs, batch.target, trial.criterion, plan.experiment.loss.type, stop
        )
    while True:
        try:
            with isolated:
                record = next(steps)
        except (StopIteration, Stopped):
            return
        yield record


def check_parts(
    network: nn.Module,
    parts: Sequence[Part],
    inputs: tuple[Tensor, ...],
    target: Tensor,
    criterion: nn.Module,
    loss_name: str,
    stop: Stop = lambda: False,
) -> Iterator[LayerChecked | GradientsChecked]:
    """Check parts of a network on a batch one by one, then the loss, then the loss of the whole network.

    Args:
        inputs: the arguments of the network: (x,) or (x, lengths), with x (N, …) and lengths (N,).
        target: (N,) or (N, outputs).
    """
    _make_checkable(network, criterion)
    inputs = tuple(_double(tensor) for tensor in inputs)
    target = _double(target)
    calls, output = _calls(network, parts, inputs)

    def run_whole(parameters: dict[str, Tensor], arguments: tuple[Any, ...]) -> Tensor:
        loss: Tensor = criterion(_run(network)(parameters, arguments), target)
        return loss

    checks = [
        *(
            _Check(part.number, part.label, part.module, calls.get(id(part.module)), _run(part.module))
            for part in parts
        ),
        _Check("", loss_name, criterion, (output, target), _run(criterion)),
        _Check("", "the whole model and its loss", network, inputs, run_whole),
    ]
    generator = torch.Generator().manual_seed(0)
    outcomes = []
    for index, check in enumerate(checks, start=1):
        result = _result_of(check, generator, stop)
        outcomes.append(result["outcome"])
        yield LayerChecked(index=index, checks=len(checks), number=check.number, label=check.label, **result)
    yield _summary(outcomes)


Run = Callable[[dict[str, Tensor], tuple[Any, ...]], Tensor]
"""A module as a function of its parameters by name, and of its arguments."""


@dataclass(frozen=True, slots=True)
class _Check:
    number: str
    label: str
    module: nn.Module
    call: tuple[Any, ...] | None
    """Its arguments; None where no input reaches it."""
    run: Run


def _result_of(check: _Check, generator: torch.Generator, stop: Stop) -> dict[str, Any]:
    """Run one check. Returns the fields of its record."""
    if isinstance(check.module, _DropoutNd):
        return _skipped("It is random, so it is off here: two passes must agree.")
    if check.call is None:
        return _skipped("No input reaches it.")
    arguments, function = _arguments(check.module, check.call, check.run)
    if not arguments:
        return _skipped("It reads integers and has no trainable parameters: there is no gradient to check.")
    try:
        verdict = compare(function, arguments, generator, stop)
    except RuntimeError as error:
        message = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return _skipped(f"torch cannot check it in float64: {message}")
    return _fields(verdict, check.call)


def _skipped(reason: str) -> dict[str, Any]:
    return {"outcome": "skipped", "message": reason}


def _make_checkable(network: nn.Module, criterion: nn.Module) -> None:
    network.double().eval()
    criterion.double()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _calls(
    network: nn.Module, parts: Sequence[Part], inputs: tuple[Tensor, ...]
) -> tuple[dict[int, tuple[Any, ...]], Tensor]:
    """Run the network on a batch. Returns the arguments of each part by its id, and the network's output (N, …)."""
    calls: dict[int, tuple[Any, ...]] = {}

    def record(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        calls[id(module)] = tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in arguments)

    handles = [part.module.register_forward_pre_hook(record) for part in parts]
    with torch.no_grad():
        output: Tensor = network(*(tensor.clone() for tensor in inputs))
    for handle in handles:
        handle.remove()
    return calls, output


def _run(module: nn.Module) -> Run:
    def run(parameters: dict[str, Tensor], arguments: tuple[Any, ...]) -> Tensor:
        # A copy, because a layer that works in place may not write into a leaf tensor.
        first = arguments[0].clone()
        output: Tensor = functional_call(module, parameters, (first, *arguments[1:]))
        return output

    return run


def _arguments(module: nn.Module, call: tuple[Any, ...], run: Run) -> tuple[list[Argument], Function]:
    """Return the arguments to check, and their function: the first input if it is floating-point, the parameters."""
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    learned = dict(module.named_parameters())
    padding = _padding_rows(module)
    arguments = [
        Argument(learned[name].detach().clone(), _without_row(learned[name], padding.get(name))) for name in names
    ]
    reads_floats = isinstance(call[0], Tensor) and call[0].is_floating_point()
    if reads_floats:
        arguments.insert(0, Argument(call[0].contiguous()))

    def function(values: Sequence[Tensor]) -> Tensor:
        first, rest = (values[0], values[1:]) if reads_floats else (call[0], values)
        output: Tensor = run(dict(zip(names, rest, strict=True)), (first, *call[1:]))
        return output

    return arguments, function


def _padding_rows(module: nn.Module) -> dict[str, int]:
    return {
        f"{name}.weight".lstrip("."): inner.padding_idx
        for name, inner in module.named_modules()
        if isinstance(inner, nn.Embedding | nn.EmbeddingBag) and inner.padding_idx is not None
    }


def _without_row(parameter: Tensor, row: int | None) -> Tensor | None:
    if row is None:
        return None
    width = parameter.shape[1]
    every = torch.arange(parameter.numel())
    return every[(every // width) != row]


def _fields(verdict: Verdict, call: tuple[Any, ...]) -> dict[str, Any]:
    """Return the fields of a record for a verdict."""
    fields: dict[str, Any] = {"elements": verdict.elements, "fast": verdict.fast, "difference": verdict.difference}
    reads_numbers = isinstance(call[0], Tensor) and not call[0].is_floating_point()
    if verdict.passed:
        note = "Its inputs are integers, so only its parameters were checked." if reads_numbers else ""
        return fields | {"outcome": "passed", "message": note}
    left, right, analytic = verdict.slopes
    if verdict.passes_nearby:
        where = "The two gradients differ at this point"
        if verdict.kinks:
            many = f"{verdict.kinks} values lie" if verdict.kinks > 1 else "A value lies"
            where = (
                f"{many} at a kink, as ReLU has at zero and MaxPool where two inputs tie. The slope is {left:.3g} to "
                f"the left and {right:.3g} to the right; autograd returns {analytic:.3g}"
            )
        return fields | {"outcome": "kink", "message": f"{where}. Moved away from it by {NUDGE:g}, it passes."}
    if verdict.difference is None:
        message = f"gradcheck fails ({verdict.torch_message}), but no single element that was checked does."
    else:
        message = (
            f"The numerical gradient is {(left + right) / 2:.6g}, autograd's is {analytic:.6g}: the backward pass is "
            "not the derivative of the forward pass."
        )
    return fields | {"outcome": "failed", "message": message}


def _summary(outcomes: Sequence[str]) -> GradientsChecked:
    counts = {name: outcomes.count(name) for name in ("passed", "kink", "failed", "skipped")}
    parts = [f"{counts['passed']} passed"]
    parts += [f"{counts['kink']} passed near a kink"] if counts["kink"] else []
    parts += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
    if counts["failed"]:
        message = f"{counts['failed']} of {len(outcomes)} checks failed; {', '.join(parts)}."
    else:
        message = f"Every gradient is correct: {', '.join(parts)}."
    return GradientsChecked(
        passed=counts["passed"],
        kinks=counts["kink"],
        failed=counts["failed"],
        skipped=counts["skipped"],
        message=message,
    )
