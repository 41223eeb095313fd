"""The states of a session, and the transitions between them. The table is complete: any other transition is an error.

| from       | to         | when                                                         |
|------------|------------|--------------------------------------------------------------|
| created    | starting   | `Session.start` is called                                    |
| starting   | training   | the loop is built                                            |
| starting   | released   | the run starts paused, without device memory                 |
| starting   | ending     | the run is interrupted or fails before its first step        |
| training   | validating | the last step of an epoch is done                            |
| training   | paused     | command `pause` or `release`                                 |
| training   | released   | command `release`: the state is saved, the loop removed      |
| training   | ending     | the last epoch is done, the run stops or fails               |
| validating | training   | the validation is done                                       |
| validating | paused     | command `pause` or `release`                                 |
| validating | released   | command `release`: the validation is repeated later          |
| validating | ending     | the run stops or fails                                       |
| paused     | training   | command `continue`                                           |
| paused     | validating | command `continue` in a validation                           |
| paused     | released   | command `release`                                            |
| paused     | ending     | the run stops or fails                                       |
| released   | rebuilding | command `continue`, or another command that needs the loop   |
| released   | ending     | the run stops or fails                                       |
| rebuilding | training   | the loop is built again                                      |
| rebuilding | released   | command `release`, while the device has too little memory    |
| rebuilding | ending     | the run stops or fails                                       |
| ending     | ended      | the last checkpoint and the `finished` event are written     |
"""

from __future__ import annotations

from enum import StrEnum


class SessionState(StrEnum):
    """What a session does."""

    CREATED = "created"
    """It has a run directory; its thread has not started."""
    STARTING = "starting"
    """It reads the data and builds the loop."""
    TRAINING = "training"
    VALIDATING = "validating"
    PAUSED = "paused"
    """It waits between two batches; the loop and its device memory stay."""
    RELEASED = "released"
    """It waits without a loop; its device memory is released."""
    REBUILDING = "rebuilding"
    """It builds the loop again, as soon as the device has enough free memory."""
    ENDING = "ending"
    """It saves the last checkpoint and restores the best weights."""
    ENDED = "ended"


_S = SessionState

TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    _S.CREATED: frozenset({_S.STARTING}),
    _S.STARTING: frozenset({_S.TRAINING, _S.RELEASED, _S.ENDING}),
    _S.TRAINING: frozenset({_S.VALIDATING, _S.PAUSED, _S.RELEASED, _S.ENDING}),
    _S.VALIDATING: frozenset({_S.TRAINING, _S.PAUSED, _S.RELEASED, _S.ENDING}),
    _S.PAUSED: frozenset({_S.TRAINING, _S.VALIDATING, _S.RELEASED, _S.ENDING}),
    _S.RELEASED: frozenset({_S.REBUILDING, _S.ENDING}),
    _S.REBUILDING: frozenset({_S.TRAINING, _S.RELEASED, _S.ENDING}),
    _S.ENDING: frozenset({_S.ENDED}),
    _S.ENDED: frozenset(),
}
"""The states that may follow each state. A test compares it with the table above."""


class InvalidTransition(RuntimeError):
    """A session tried to do something that its state does not allow."""


class StateMachine:
    """The state of one session; the engine thread changes it, other threads may read it."""

    def __init__(self) -> None:
        self.state = SessionState.CREATED

    def to(self, state: SessionState) -> None:
        """Change the state.

        Raises:
            InvalidTransition: The table has no such transition.
        """
        if state not in TRANSITIONS[self.state]:
            allowed = ", ".join(sorted(TRANSITIONS[self.state])) or "no other state"
            raise InvalidTransition(f"a session that is {self.state} cannot be {state}; expected {allowed}")
        self.state = state

    def ensure(self, state: SessionState) -> None:
        """Change the state, unless the session is in it already; see `to`."""
        if state is not self.state:
            self.to(state)
