"""torch.autograd.gradcheck for a function of a few tensors: where and why its two gradients differ.

Source: https://docs.pytorch.org/docs/stable/notes/gradcheck.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from time import monotonic
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck

EPS, ATOL, RTOL = 1e-6, 1e-5, 1e-3
"""gradcheck's defaults: the step of a numerical difference to each side, and the tolerances."""

AT_MOST = 512
"""Most elements that are checked one by one. More are checked together along a random direction; if that fails, this
many are checked one by one."""

OUTPUTS = 64
"""Most outputs that have their own row of the Jacobian; more are combined into two with random weights."""

NUDGE = 1e-3
"""Distance by which values are moved away from a kink before they are checked again."""

FAST_CALLS = 200
"""A fast check takes a few evaluations; this many mean that it failed and evaluates every element."""

EXPLAIN_S = 10.0
"""Most seconds for which elements are checked one by one."""

Function = Callable[[Sequence[Tensor]], Tensor]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Argument:
    """A float64 tensor to check gradients for; `free` are the indices of its free elements, (M,); None means all."""

    value: Tensor
    free: Tensor | None = None

    @property
    def elements(self) -> int:
        """Number of its elements that are checked."""
        return self.value.numel() if self.free is None else self.free.numel()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check."""

    passed: bool
    elements: int
    fast: bool
    difference: float | None = None
    """The largest difference of the elements that were checked one by one; None if none of them differs."""
    kinks: int = 0
    """How many of them have different slopes to the left and to the right."""
    slopes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Slopes of the element with the largest difference, one at a kink first: left, right, and by autograd."""
    passes_nearby: bool = False
    """Whether the check passes when every value is moved a little."""
    torch_message: str = ""
    """What torch reports."""


class Stopped(Exception):
    """The check was stopped."""


def compare(function: Function, arguments: Sequence[Argument], generator: torch.Generator, stop: Stop) -> Verdict:
    """Check the gradients of `function` for its arguments; where they differ, find out whether that is a kink.

    At a kink the slope to the left differs from the slope to the right: ReLU at zero, a tie in MaxPool. There autograd
    returns one of many correct values, and a central difference another. Away from the kink both agree, unless the
    backward pass is wrong.

    Raises:
        Stopped: `stop` returned True.
    """
    reduced = _ReducedFunction(function, arguments, generator, stop)
    start = reduced.start()
    elements = sum(argument.elements for argument in arguments)
    fast = elements > AT_MOST
    torch_message = _gradcheck(reduced, start, fast)
    if torch_message is None:
        return Verdict(True, elements, fast)
    found = _explain(reduced, start)
    passes_nearby = _passes_nearby(reduced, start, generator, fast)
    worst = max(found, default=None, key=lambda one: (passes_nearby and one.kink, one.difference))
    return Verdict(
        False,
        elements,
        fast,
        difference=max((one.difference for one in found), default=None),
        kinks=sum(one.kink for one in found),
        slopes=worst.slopes if worst is not None else (0.0, 0.0, 0.0),
        passes_nearby=passes_nearby,
        torch_message=torch_message,
    )


class _Element(NamedTuple):
    """An element whose two gradients differ; its slopes are left, right, and by autograd."""

    difference: float
    kink: bool
    slopes: tuple[float, float, float]


class _ReducedFunction:
    """The function of the free elements only, with few outputs."""

    def __init__(
        self, function: Function, arguments: Sequence[Argument], generator: torch.Generator, stop: Stop
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._stop = stop
        outputs = function([argument.value for argument in arguments]).numel()
        self._weights: Tensor | None = None
        if outputs > OUTPUTS:
            self._weights = torch.randn(2, outputs, dtype=torch.float64, generator=generator)
        self.one = torch.randn(outputs if self._weights is None else 2, dtype=torch.float64, generator=generator)
        """Weights that combine the outputs into one number."""
        self.calls, self.most_calls = 0, math.inf

    def start(self) -> Tensor:
        """Return the free elements of every argument, concatenated, (M,)."""
        return torch.cat([_free(argument).detach() for argument in self._arguments]).requires_grad_()

    @property
    def ranges(self) -> list[range]:
        """The indices of each argument's elements in `start()`."""
        ends = list(accumulate((argument.elements for argument in self._arguments), initial=0))
        return [range(begin, end) for begin, end in pairwise(ends)]

    def __call__(self, free: Tensor) -> Tensor:
        self.calls += 1
        if self._stop():
            raise Stopped
        if self.calls > self.most_calls:
            raise _FastCheckFailed
        parts = free.split([argument.elements for argument in self._arguments])
        whole = [_whole(argument, elements) for argument, elements in zip(self._arguments, parts, strict=True)]
        output = self._function(whole).flatten()
        return output if self._weights is None else self._weights @ output


class _FastCheckFailed(Exception):
    """A fast check failed, and gradcheck is about to compute the whole Jacobian for its message."""


def _free(argument: Argument) -> Tensor:
    flat = argument.value.flatten()
    return flat if argument.free is None else flat[argument.free]


def _whole(argument: Argument, elements: Tensor) -> Tensor:
    if argument.free is None:
        return elements.view(argument.value.shape)
    return argument.value.flatten().index_put((argument.free,), elements).view(argument.value.shape)


def _gradcheck(reduced: _ReducedFunction, at: Tensor, fast: bool) -> str | None:
    """Return None if gradcheck passes, otherwise the first line of its message."""
    reduced.calls, reduced.most_calls = 0, FAST_CALLS if fast else math.inf
    try:
        gradcheck(reduced, (at,), eps=EPS, atol=ATOL, rtol=RTOL, fast_mode=fast)
    except _FastCheckFailed:
        return "the gradient along a random direction differs"
    except GradcheckError as error:
        return (str(error).strip().splitlines() or ["no message"])[0].rstrip(".,:;")
    finally:
        reduced.most_calls = math.inf
    return None


def _explain(reduced: _ReducedFunction, start: Tensor) -> list[_Element]:
    """Check elements one by one. Returns those that differ."""
    (by_autograd,) = torch.autograd.grad(reduced(start) @ reduced.one, start)
    found = []
    until = monotonic() + EXPLAIN_S
    with torch.no_grad():
        moved = start.detach().clone()
        here = float(reduced(moved) @ reduced.one)
        for element in _elements_to_explain(reduced, moved):
            value = float(moved[element])
            moved[element] = value + EPS
            right = (float(reduced(moved) @ reduced.one) - here) / EPS
            moved[element] = value - EPS
            left = (here - float(reduced(moved) @ reduced.one)) / EPS
            moved[element] = value
            analytic = float(by_autograd[element])
            difference = abs(analytic - (left + right) / 2)
            tolerance = ATOL + RTOL * max(abs(left), abs(right))
            if difference > tolerance:
                found.append(_Element(difference, abs(right - left) > tolerance, (left, right, analytic)))
            if monotonic() > until:
                break
    return found


def _elements_to_explain(reduced: _ReducedFunction, at: Tensor) -> list[int]:
    """Return a limited number of elements of every argument, those closest to zero first: most kinks are at zero."""
    room = max(1, AT_MOST // len(reduced.ranges))
    return [
        range_.start + element
        for range_ in reduced.ranges
        for element in at[range_.start : range_.stop].abs().argsort()[:room].tolist()
    ]


def _passes_nearby(reduced: _ReducedFunction, start: Tensor, generator: torch.Generator, fast: bool) -> bool:
    """Return whether the gradients agree when every element is moved a little. Tries three times."""
    for _ in range(3):
        by = torch.rand(start.shape, dtype=torch.float64, generator=generator) - 0.5
        moved = (start.detach() + NUDGE * (by + 0.5 * by.sign())).requires_grad_()
        if _gradcheck(reduced, moved, fast) is None:
            return True
    return False
