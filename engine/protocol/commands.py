"""Commands that a viewer sends to the session that trains. One command is one line of `commands.jsonl`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        return self.model_dump_json()


class Simple(_Command):
    """A command without a value.

    `pause` pauses before the next step. `release` also frees the memory of the run on its device. `continue` trains
    again. `stop` ends the run and saves the model. `checkpoint` saves a checkpoint now. `detach` saves one and ends
    this session, so that another process can resume the run.
    """

    command: Literal["pause", "release", "continue", "stop", "checkpoint", "detach"]


class SetLR(_Command):
    """Scale the schedule so that the learning rate of the next step is `value`."""

    command: Literal["set_lr"] = "set_lr"
    value: float = Field(gt=0, allow_inf_nan=False)


Command = Simple | SetLR

PauseMode = Literal["pause", "release"]
"""How a run is paused: with its device memory allocated, or released."""

PAUSE_MODES: tuple[PauseMode, ...] = get_args(PauseMode)

NAMES: tuple[str, ...] = (
    *get_args(Simple.model_fields["command"].annotation),
    *get_args(SetLR.model_fields["command"].annotation),
)
"""The names of all commands."""

_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])


def command_from_json(line: str | bytes) -> Command:
    """Read one line of `commands.jsonl`.

    Raises:
        ValueError: the line is not JSON, or not a command.
    """
    return _COMMAND.validate_json(line)
