"""The states of a session: the documented table, the transitions in the code, and what is refused."""

import re

import pytest

from engine import Session, check
from engine.experiment import read
from engine.protocol.commands import Simple
from engine.training import session_states
from engine.training.session_states import TRANSITIONS, InvalidTransition, SessionState, StateMachine
from tests.engine.training.steering import override

QUICK = ("training.epochs=2", "training.threads=1")


def test_the_documented_table_has_every_transition():
    rows = re.findall(r"^\| (\w+) +\| (\w+) +\| [^|]+ \|$", session_states.__doc__, re.MULTILINE)
    documented = [(SessionState(old), SessionState(new)) for old, new in rows if old != "from"]
    assert len(documented) == len(set(documented))
    assert set(documented) == {(old, new) for old, following in TRANSITIONS.items() for new in following}


@pytest.mark.parametrize("old", SessionState)
@pytest.mark.parametrize("new", SessionState)
def test_only_transitions_of_the_table_are_possible(old, new):
    machine = StateMachine()
    machine.state = old
    if new in TRANSITIONS[old]:
        machine.to(new)
        assert machine.state is new
    else:
        with pytest.raises(InvalidTransition, match=f"a session that is {old} cannot be {new}; expected "):
            machine.to(new)
        assert machine.state is old
    machine.state = old
    machine.ensure(old)
    assert machine.state is old


def test_a_session_starts_once(tmp_path):
    session = Session.create(check(read("wine", QUICK)), runs_dir=tmp_path)
    assert session.state is SessionState.CREATED
    session.start()
    with pytest.raises(InvalidTransition):
        session.start()
    assert session.join(60) and session.state is SessionState.ENDED
    with pytest.raises(InvalidTransition, match="a session that is ended cannot be starting; expected no other state"):
        session.start()


def test_a_session_passes_the_states_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)
    session = Session.create(check(read("wine", QUICK)), runs_dir=tmp_path)
    passed, commands = [session.state], iter(("pause", "release", "continue"))
    to = session._states.to

    def recorded(state):
        to(state)
        passed.append(state)

    def attend(runner, attend):
        if runner.stage.position.step >= 2 and (command := next(commands, None)):
            session.send(Simple(command=command))
        attend()

    session._states.to = recorded
    override(session, attend=attend)
    session.start()
    assert session.join(60)
    names = [str(state) for state in passed]
    assert names[:7] == ["created", "starting", "training", "paused", "released", "rebuilding", "training"]
    assert names[7:] == ["validating", "training", "validating", "training", "ending", "ended"]
