"""The mean and the standard deviation of new weights, by the formula of their initializer.

Source: https://docs.pytorch.org/docs/stable/nn.init.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch.nn.init import calculate_gain


@dataclass(frozen=True, slots=True)
class Expected:
    """Mean and standard deviation over all weights of a tensor, and the formula of the latter."""

    mean: float
    std: float
    formula: str
    """In plain Unicode: `gain · √(2 / (fan_in + fan_out))`."""


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one unit, for weights of shape (outputs, inputs, kernel…)."""
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def expected(initializer: str, parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected | None:
    """The statistics of a tensor of that shape after an initializer; None for an unknown initializer."""
    formula = _FORMULAS.get(initializer)
    return formula(parameters, shape) if formula is not None else None


def uniform(bound: float, text: str) -> Expected:
    """Uniform within ±bound; `text` is the formula of its standard deviation, bound / √3."""
    return Expected(0.0, bound / math.sqrt(3), text)


def with_zeros(one: Expected, share: float) -> Expected:
    """The same after a share of the weights is set to zero."""
    if not share:
        return one
    mean = (1 - share) * one.mean
    square = (1 - share) * (one.std**2 + one.mean**2)
    return Expected(mean, math.sqrt(max(square - mean**2, 0.0)), f"{one.formula}, without the padding's row")


def _kaiming(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    mode = parameters.get("mode", "fan_in")
    gain = calculate_gain(parameters.get("nonlinearity", "leaky_relu"), parameters.get("a", 0.0))
    fan = fans(shape)[mode == "fan_out"]
    square = gain * gain
    above = f"{square:.4g}" if math.isclose(square, round(square, 3)) else f"{gain:.4g}²"
    return Expected(0.0, gain / math.sqrt(fan), f"√({above} / {mode})")


def _xavier(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    gain = parameters.get("gain", 1.0)
    fan_in, fan_out = fans(shape)
    before = "" if gain == 1 else f"{gain:g} · "
    return Expected(0.0, gain * math.sqrt(2 / (fan_in + fan_out)), f"{before}√(2 / (fan_in + fan_out))")


def _orthogonal(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    # min(rows, columns) orthogonal vectors of length gain are spread over rows · columns weights.
    gain, rows, columns = parameters.get("gain", 1.0), shape[0], prod(shape[1:])
    return Expected(0.0, abs(gain) / math.sqrt(max(rows, columns)), f"{gain:g} / √max(rows, columns)")


def _truncated(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    mean, std = parameters.get("mean", 0.0), parameters.get("std", 1.0)
    low, high = (parameters.get("a", -2.0) - mean) / std, (parameters.get("b", 2.0) - mean) / std
    inside = _normal_cdf(high) - _normal_cdf(low)
    text = f"{std:g}, without values outside a to b"
    if inside <= 0:
        return Expected(math.nan, math.nan, text)
    shift = (_normal_pdf(low) - _normal_pdf(high)) / inside
    spread = 1 + (low * _normal_pdf(low) - high * _normal_pdf(high)) / inside - shift**2
    return Expected(mean + std * shift, std * math.sqrt(max(spread, 0.0)), text)


def _normal(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    return Expected(parameters.get("mean", 0.0), parameters.get("std", 1.0), "std")


def _uniform(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    low, high = parameters.get("a", 0.0), parameters.get("b", 1.0)
    return Expected((low + high) / 2, (high - low) / math.sqrt(12), "(b - a) / √12")


def _sparse(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    rows = shape[0]
    zeros = math.ceil(parameters["sparsity"] * rows)
    return Expected(0.0, parameters.get("std", 0.01) * math.sqrt(1 - zeros / rows), "std · √(1 - sparsity)")


def _dirac(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    groups = parameters.get("groups", 1)
    return _some_ones(groups * min(shape[0] // groups, shape[1]) / prod(shape))


def _eye(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Expected:
    return _some_ones(min(shape) / prod(shape))


def _some_ones(share: float) -> Expected:
    return Expected(share, math.sqrt(share * (1 - share)), "√(p · (1 - p)), p the share of ones")


def _constant(value: float) -> Expected:
    return Expected(value, 0.0, "0")


def _normal_pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _normal_cdf(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


_FORMULAS: dict[str, Callable[[Mapping[str, Any], tuple[int, ...]], Expected]] = {
    "kaiming_normal_": _kaiming,
    "kaiming_uniform_": _kaiming,
    "xavier_uniform_": _xavier,
    "xavier_normal_": _xavier,
    "orthogonal_": _orthogonal,
    "trunc_normal_": _truncated,
    "normal_": _normal,
    "uniform_": _uniform,
    "constant_": lambda parameters, shape: _constant(parameters["val"]),
    "zeros_": lambda parameters, shape: _constant(0.0),
    "ones_": lambda parameters, shape: _constant(1.0),
    "dirac_": _dirac,
    "eye_": _eye,
    "sparse_": _sparse,
}
