"""Change what a session does in the engine thread, to stop or disturb it at an exact moment."""

from collections.abc import Callable
from functools import partial
from typing import Any

from engine.training.session import Session


def override(session: Session, **methods: Callable[..., Any]) -> None:
    """Replace methods of the runner of a session that has not started.

    Each function gets the runner, the original method of that runner, and the arguments of the call.
    """
    base = session.runner_type

    def replaced(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(base, name)
        return lambda runner, *args, **kwargs: method(runner, partial(original, runner), *args, **kwargs)

    session.runner_type = type(
        base.__name__, (base,), {name: replaced(name, method) for name, method in methods.items()}
    )


def interrupt_when(session: Session, condition: Callable[[Any], bool]) -> None:
    """Interrupt a session that has not started, as soon as `condition(loop)` is true between two batches."""
    from engine.protocol.events import Reason

    override(session, poll=lambda runner, poll: Reason.INTERRUPTED if condition(runner.loop) else poll())
