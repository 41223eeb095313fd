"""Handles the commands of viewers: changes what is requested of the run, and reports the outcome as an event."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.protocol.commands import Command, PauseMode, SetLR
from engine.protocol.events import CommandDone, Reason
from engine.protocol.outcomes import (
    AnyOutcome,
    CheckpointFailed,
    CheckpointSaved,
    CheckpointStarted,
    CommandRefused,
    Continued,
    Ending,
    LRChanged,
    MemoryReleased,
    Paused,
)
from engine.training.checkpoint_policy import CheckpointPolicy
from engine.training.learner import Position
from engine.training.stages import ActiveRun, AnyStage


@dataclass(slots=True)
class Requests:
    """What is requested of a run; the engine thread acts on it between two batches."""

    pause_mode: PauseMode | None = None
    ending: Reason | None = None
    """Why the run is to end."""
    checkpoint: bool = False
    for_loop: list[Command] = field(default_factory=list)
    """Commands that need a loop, received while there is none."""

    def end(self, reason: Reason) -> Reason:
        """Request the end of the run, unless it is requested already; return the reason that holds."""
        if self.ending is None or (self.ending is Reason.DETACHED and reason is Reason.STOPPED):
            self.ending = reason
        return self.ending


def handle_command(
    command: Command,
    requests: Requests,
    run: AnyStage,
    policy: CheckpointPolicy,
    device: str,
) -> CommandDone | None:
    """Handle a command; return the event that reports its outcome, or None if the command waits for a loop."""
    if isinstance(command, SetLR):
        return _set_lr(command, requests, run)
    outcome: AnyOutcome
    match command.command:
        case "pause":
            requests.pause_mode = requests.pause_mode or "pause"
            outcome = Paused()
        case "release":
            requests.pause_mode = "release"
            outcome = MemoryReleased(device=device)
        case "continue":
            requests.pause_mode = None
            outcome = Continued()
        case "stop":
            outcome = Ending(reason=requests.end(Reason.STOPPED))
        case "checkpoint":
            outcome = _save(requests, run, policy)
        case "detach":
            outcome = _detach(requests, run, policy)
    return _done(command, run.position, outcome)


def _set_lr(command: SetLR, requests: Requests, run: AnyStage) -> CommandDone | None:
    if not isinstance(run, ActiveRun):
        requests.for_loop.append(command)
        return None
    before = run.loop.rate.lr
    run.loop.rate.set(command.value)
    outcome = LRChanged(before=before, after=run.loop.rate.lr)
    return _done(command, run.position, outcome, value=command.value)


def _save(requests: Requests, run: AnyStage, policy: CheckpointPolicy) -> AnyOutcome:
    """Save as soon as the loop is between two steps; a released run is saved already, so wait for the writer."""
    if isinstance(run, ActiveRun):
        requests.checkpoint = True
        return CheckpointStarted()
    return CheckpointSaved() if policy.wait() else CheckpointFailed()


def _detach(requests: Requests, run: AnyStage, policy: CheckpointPolicy) -> AnyOutcome:
    """End this process's part of the run, if a checkpoint is on disk from which another process can resume it."""
    # A validation is repeated, so the checkpoint of its epoch's last step is saved when the run ends.
    validating = isinstance(run, ActiveRun) and run.loop.validating
    if isinstance(run, ActiveRun) and not validating:
        run.loop.flush_losses()
        policy.save(run.loop)
    if not validating and not policy.wait():
        return CommandRefused(reason="cannot_save")
    return Ending(reason=requests.end(Reason.DETACHED))


def _done(command: Command, at: Position, outcome: AnyOutcome, value: float | None = None) -> CommandDone:
    return CommandDone(command=command.command, value=value, epoch=at.epoch, step=at.step, outcome=outcome)
