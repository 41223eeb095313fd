"""torch.autograd.gradcheck on a function of a few tensors, and where and why its two gradients differ.

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
"""Half the distance of a numerical difference and the tolerances, as gradcheck has them by default."""

AT_MOST = 512
"""Elements that are checked each by itself; beyond it all are checked together along a random direction, and as many
are looked at one by one where that fails."""

OUTPUTS = 64
"""Outputs that each have a row of the Jacobian; more are weighed by random numbers into two."""

NUDGE = 1e-3
"""How far values are moved away from a kink, before they are checked again."""

FAST_CALLS = 200
"""A fast check takes a handful of evaluations; this many mean that it failed and goes through every element."""

LOOK_S = 10.0
"""Elements of a large model are looked at one by one for no longer than this, in seconds."""

Function = Callable[[Sequence[Tensor]], Tensor]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Argument:
    """A float64 tensor that gradients are checked for; `free` are the elements that may move, all of them if None."""

    value: Tensor
    free: Tensor | None = None

    @property
    def elements(self) -> int:
        """How many of its elements are checked."""
        return self.value.numel() if self.free is None else self.free.numel()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check."""

    passed: bool
    elements: int
    fast: bool
    difference: float | None = None
    """The largest of the elements that were looked at one by one; None where none of them differs."""
    kinks: int = 0
    """How many of those have another slope to the left than to the right."""
    slopes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the element with the largest difference, before all others one at a kink: to its left, to its right, and by
    autograd."""
    beside: bool = False
    """Whether it passes when every value is moved a little."""
    said: str = ""
    """What torch says of it."""


class Stopped(Exception):
    """The check was told to stop."""


def compare(function: Function, arguments: Sequence[Argument], generator: torch.Generator, stop: Stop) -> Verdict:
    """Check the gradients of `function` for its arguments; where they differ, find out whether that is a kink.

    A kink is a place at which the slope to the left is not the slope to the right: ReLU at zero, a tie in MaxPool. What
    autograd gives there is one of many right answers, and a central difference is another; moved away from the kink
    both agree, which a wrong backward pass does not.

    Raises:
        Stopped: `stop` said so.
    """
    weighed = _Weighed(function, arguments, generator, stop)
    start = weighed.start()
    elements = sum(argument.elements for argument in arguments)
    fast = elements > AT_MOST
    said = _gradcheck(weighed, start, fast)
    if said is None:
        return Verdict(True, elements, fast)
    found = _explain(weighed, start)
    beside = _passes_beside(weighed, start, generator, fast)
    worst = max(found, default=None, key=lambda one: (beside and one.kink, one.difference))
    return Verdict(
        False,
        elements,
        fast,
        difference=max((one.difference for one in found), default=None),
        kinks=sum(one.kink for one in found),
        slopes=worst.slopes if worst is not None else (0.0, 0.0, 0.0),
        beside=beside,
        said=said,
    )


class _Element(NamedTuple):
    """A number whose two gradients differ; its slopes are those to the left, to the right, and by autograd."""

    difference: float
    kink: bool
    slopes: tuple[float, float, float]


class _Weighed:
    """The function of the free elements alone, with few outputs."""

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
        """Weights that make one number of the outputs."""
        self.calls, self.most_calls = 0, math.inf

    def start(self) -> Tensor:
        """The free elements of every argument, one after the other."""
        return torch.cat([_free(argument).detach() for argument in self._arguments]).requires_grad_()

    @property
    def stretches(self) -> list[range]:
        """Where the elements of each argument stand."""
        ends = list(accumulate((argument.elements for argument in self._arguments), initial=0))
        return [range(begin, end) for begin, end in pairwise(ends)]

    def __call__(self, free: Tensor) -> Tensor:
        self.calls += 1
        if self._stop():
            raise Stopped
        if self.calls > self.most_calls:
            raise _Differs
        parts = free.split([argument.elements for argument in self._arguments])
        whole = [_whole(argument, elements) for argument, elements in zip(self._arguments, parts, strict=True)]
        output = self._function(whole).flatten()
        return output if self._weights is None else self._weights @ output


class _Differs(Exception):
    """A fast check has failed, and gradcheck is about to compute every entry of the Jacobian to say so."""


def _free(argument: Argument) -> Tensor:
    flat = argument.value.flatten()
    return flat if argument.free is None else flat[argument.free]


def _whole(argument: Argument, elements: Tensor) -> Tensor:
    if argument.free is None:
        return elements.view(argument.value.shape)
    return argument.value.flatten().index_put((argument.free,), elements).view(argument.value.shape)


def _gradcheck(weighed: _Weighed, at: Tensor, fast: bool) -> str | None:
    """None where it passes; else what it says, in a line."""
    weighed.calls, weighed.most_calls = 0, FAST_CALLS if fast else math.inf
    try:
        gradcheck(weighed, (at,), eps=EPS, atol=ATOL, rtol=RTOL, fast_mode=fast)
    except _Differs:
        return "the gradient along a random direction differs"
    except GradcheckError as error:
        return (str(error).strip().splitlines() or ["no message"])[0].rstrip(".,:;")
    finally:
        weighed.most_calls = math.inf
    return None


def _explain(weighed: _Weighed, start: Tensor) -> list[_Element]:
    """The elements that differ, of those looked at."""
    (by_autograd,) = torch.autograd.grad(weighed(start) @ weighed.one, start)
    found = []
    until = monotonic() + LOOK_S
    with torch.no_grad():
        moved = start.detach().clone()
        here = float(weighed(moved) @ weighed.one)
        for element in _to_look_at(weighed, moved):
            value = float(moved[element])
            moved[element] = value + EPS
            right = (float(weighed(moved) @ weighed.one) - here) / EPS
            moved[element] = value - EPS
            left = (here - float(weighed(moved) @ weighed.one)) / EPS
            moved[element] = value
            analytic = float(by_autograd[element])
            difference = abs(analytic - (left + right) / 2)
            tolerance = ATOL + RTOL * max(abs(left), abs(right))
            if difference > tolerance:
                found.append(_Element(difference, abs(right - left) > tolerance, (left, right, analytic)))
            if monotonic() > until:
                break
    return found


def _to_look_at(weighed: _Weighed, at: Tensor) -> list[int]:
    """A bounded number of elements of every argument: kinks lie at zero more often than anywhere else, so those first
    that are nearest to it."""
    room = max(1, AT_MOST // len(weighed.stretches))
    return [
        stretch.start + element
        for stretch in weighed.stretches
        for element in at[stretch.start : stretch.stop].abs().argsort()[:room].tolist()
    ]


def _passes_beside(weighed: _Weighed, start: Tensor, generator: torch.Generator, fast: bool) -> bool:
    """Whether the gradients agree when every element is moved a little; in three tries, since one may hit a kink."""
    for _ in range(3):
        by = torch.rand(start.shape, dtype=torch.float64, generator=generator) - 0.5
        beside = (start.detach() + NUDGE * (by + 0.5 * by.sign())).requires_grad_()
        if _gradcheck(weighed, beside, fast) is None:
            return True
    return False
