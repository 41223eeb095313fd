"""Outcomes of commands: a code and typed values. The program that shows one words it.

As JSON an outcome is an object with its `code`: `{"code": "lr_changed", "before": 0.001, "after": 0.0005}`. Earlier
versions wrote a sentence instead, which `outcome_from_text` reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.protocol.states import Reason


class _Outcome(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", extra="ignore")


class LRChanged(_Outcome):
    """The learning rate of the next step changed."""

    code: Literal["lr_changed"] = "lr_changed"
    before: float
    after: float


class Paused(_Outcome):
    """The run is paused, and its device memory stays allocated."""

    code: Literal["paused"] = "paused"


class MemoryReleased(_Outcome):
    """The run is paused, and frees what it allocated on its device."""

    code: Literal["memory_released"] = "memory_released"
    device: str


class Continued(_Outcome):
    """The run trains again."""

    code: Literal["continued"] = "continued"


class CheckpointStarted(_Outcome):
    """A checkpoint is being saved. A `checkpoint` event follows."""

    code: Literal["checkpoint_started"] = "checkpoint_started"


class CheckpointSaved(_Outcome):
    """The checkpoint of the pause is saved."""

    code: Literal["checkpoint_saved"] = "checkpoint_saved"


class CheckpointFailed(_Outcome):
    """The checkpoint of the pause could not be written. The run tries again."""

    code: Literal["checkpoint_failed"] = "checkpoint_failed"


class Ending(_Outcome):
    """The run ends. A `finished` event follows."""

    code: Literal["ending"] = "ending"
    reason: Reason


RefusalReason = Literal["cannot_save", "cannot_detach"]
"""`cannot_save`: no checkpoint can be saved at this moment. `cannot_detach`: from an early version."""


class CommandRefused(_Outcome):
    """The command did nothing."""

    code: Literal["refused"] = "refused"
    reason: RefusalReason


class Text(_Outcome):
    """An outcome that an earlier version wrote as a text unknown to this one."""

    code: Literal["text"] = "text"
    text: str


AnyOutcome = (
    LRChanged
    | Paused
    | MemoryReleased
    | Continued
    | CheckpointStarted
    | CheckpointSaved
    | CheckpointFailed
    | Ending
    | CommandRefused
    | Text
)


def outcome_from_text(text: str) -> AnyOutcome:
    """Read the sentence that an earlier version wrote as the outcome of a command."""
    if text in _TEXTS:
        return _TEXTS[text]
    for pattern, outcome in _PATTERNS:
        if match := pattern.fullmatch(text):
            return outcome(match)
    return Text(text=text)


_TEXTS: dict[str, AnyOutcome] = {
    "paused": Paused(),
    "going on": Continued(),
    "saving": CheckpointStarted(),
    "saved, as it was paused": CheckpointSaved(),
    "not saved: it cannot be written, and is tried again": CheckpointFailed(),
    "refused: this moment cannot be saved, so the run goes on where it is": CommandRefused(reason="cannot_save"),
    "refused: a session ends with the process that it is in": CommandRefused(reason="cannot_detach"),
    **{reason.value: Ending(reason=reason) for reason in Reason},
}
_NUMBER = r"-?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|inf|nan)"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], AnyOutcome]], ...] = (
    (
        re.compile(rf"learning rate ({_NUMBER}) → ({_NUMBER})", re.ASCII),
        lambda match: LRChanged(before=float(match[1]), after=float(match[2])),
    ),
    (
        re.compile(r"paused; (.+) is (?:free for other processes|left to others)"),
        lambda match: MemoryReleased(device=match[1]),
    ),
)


def _upgraded(value: object) -> object:
    return outcome_from_text(value) if isinstance(value, str) else value


Outcome = Annotated[AnyOutcome, Field(discriminator="code"), BeforeValidator(_upgraded)]
"""A field for any outcome, which also reads the texts of earlier versions."""
