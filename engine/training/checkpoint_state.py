"""Capture the state of a loop for a checkpoint, and restore it into a loop. The state is a `CheckpointState`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from engine.training.checkpoint import CheckpointState
from engine.training.loop import Loop
from engine.training.randomness import random_states, set_random_states
from engine.training.reporting import EpochLosses
from engine.training.stopping import Stopping

FORMAT = 2

_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Number = int | float


class _Plain(BaseModel):
    """The form of a part of the plain data. Other forms are refused before anything is restored."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _Position(_Plain):
    epoch: Annotated[_Count, Field(ge=1)]
    step_in_epoch: _Count
    step: _Count


class _Rate(_Plain):
    epochs: _Count
    factor: _Number
    steps: _Count
    moves: _Count
    scheduled: list[_Number]
    last: _Number
    scheduler: dict[str, Any] | None


class _Stopping(_Plain):
    best: _Number | None
    best_epoch: _Count | None
    patience_used: _Count
    reached: _Number | None


class _Losses(_Plain):
    total: _Number
    weight: _Number
    samples: _Count


class _Optimizer(_Plain):
    groups: list[dict[str, Any]]
    numbers: dict[str, dict[str, Any]]


class _State(_Plain):
    format: Literal[2]
    ran_with: dict[str, Any]
    position: _Position
    optimizer: _Optimizer
    rate: _Rate
    precision: dict[str, Any]
    stopping: _Stopping
    losses: _Losses
    average: dict[str, _Count] | None
    micro_batches: Annotated[_Count, Field(ge=1)]
    validation_size: Annotated[_Count, Field(ge=1)]
    rewinds: _Count


def capture(loop: Loop) -> CheckpointState:
    """Copy the state of a loop between two steps. Losses that are still on the device are fetched first."""
    optimizer = loop.optimizer.state_dict()
    trainer = random_states(loop.batches.device)
    numbers: dict[str, dict[str, Any]] = {}
    for index, slots in optimizer["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                trainer[f"optimizer.{index}.{name}"] = _copy(value)
            else:
                numbers.setdefault(str(index), {})[name] = _without_tensors(value, f"inside.{index}.{name}", trainer)
    trainer |= {f"metrics.{name}": _copy(value) for name, value in loop.metrics.state_dict().items()}
    if loop.result is not loop.network:
        trainer |= {f"weights.{name}": _copy(value) for name, value in loop.network.state_dict().items()}
    state = {
        "format": FORMAT,
        "ran_with": loop.runtime.as_state(),
        "position": asdict(loop.position),
        "optimizer": {"groups": optimizer["param_groups"], "numbers": numbers},
        "rate": loop.rate.state_dict(),
        "precision": loop.precision.state_dict(),
        "stopping": loop.stopping.state_dict(),
        "losses": {"total": loop.losses.total, "weight": loop.losses.weight, "samples": loop.losses.samples},
        "average": loop.average.state_dict() if loop.average is not None else None,
        "micro_batches": loop.micro_batches,
        "validation_size": loop.validation_size,
        "rewinds": loop.rewinds,
    }
    model = {name: _copy(value) for name, value in loop.result.state_dict().items()}
    return CheckpointState(model=model, trainer=trainer, state=state)


def restore_stopping(saved: CheckpointState, stopping: Stopping) -> None:
    """Restore the state of early stopping.

    Raises:
        ValueError, LookupError, TypeError: The state is not that of such a run.
    """
    state = _numbers(saved.state)
    _require_form(state)
    stopping.load_state_dict(state["stopping"])


def restore(saved: CheckpointState, loop: Loop) -> None:
    """Restore the state into a loop that was built from the same experiment; the loop resumes exactly there.

    The loop gets copies, because `saved` may still be waiting to be written.

    Raises:
        ValueError, LookupError, TypeError, AttributeError, RuntimeError: The state was taken from another experiment.
    """
    state, trainer = _numbers(saved.state), saved.trainer
    _require_form(state)
    loop.network.load_state_dict(_named(trainer, "weights.") or saved.model)
    if loop.average is not None and state["average"] is not None:
        # A run that had no average before starts its average now.
        loop.average.network.load_state_dict(saved.model)
        loop.average.load_state_dict(state["average"])
    _restore_optimizer(loop.optimizer, trainer, state["optimizer"])
    loop.rate.load_state_dict(state["rate"])
    loop.precision.load_state_dict(state["precision"])
    loop.stopping.load_state_dict(state["stopping"])
    loop.position = saved.position
    loop.micro_batches, loop.rewinds = state["micro_batches"], state["rewinds"]
    loop.validation_size = state["validation_size"]
    loop.losses = EpochLosses()
    loop.losses.total, loop.losses.samples = state["losses"]["total"], state["losses"]["samples"]
    loop.losses.weight = state["losses"]["weight"]
    loop.metrics.load_state_dict({name: value.clone() for name, value in _named(trainer, "metrics.").items()})
    set_random_states(trainer, loop.batches.device)


def _require_form(state: dict[str, Any]) -> None:
    try:
        _State.model_validate(state)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _restore_optimizer(optimizer: torch.optim.Optimizer, trainer: dict[str, Tensor], saved: dict[str, Any]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict[str, Any]] = {int(i): _with_tensors(s, trainer) for i, s in saved["numbers"].items()}
    for name, value in _named(trainer, "optimizer.").items():
        index, _, slot = name.partition(".")
        like = parameters[int(index)]
        if value.shape == like.shape:
            # Moments have the strides of their parameter (channels_last); a checkpoint does not store strides.
            value = torch.empty_like(like, dtype=value.dtype, device="cpu").copy_(value)
        else:
            value = value.clone()  # on a CPU torch would use this tensor itself, and change `saved` at the next step
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": slots, "param_groups": saved["groups"]})


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Copy `value` for JSON: each tensor in it moves to `tensors`, and its name there replaces it."""
    if isinstance(value, Tensor):
        tensors[name] = _copy(value)
        return {"tensor": name}
    if isinstance(value, dict):
        return {key: _without_tensors(item, f"{name}.{key}", tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_tensors(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]
    return value


def _with_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_without_tensors`."""
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return tensors[value["tensor"]].clone()
        return {key: _with_tensors(item, tensors) for key, item in value.items()}
    return [_with_tensors(item, tensors) for item in value] if isinstance(value, list) else value


def _numbers(value: Any) -> Any:
    """Copy `value`, with non-finite numbers as numbers again; JSON has them as strings."""
    if isinstance(value, dict):
        return {k: _numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
