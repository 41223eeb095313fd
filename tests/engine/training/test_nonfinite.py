"""A step that is not finite never reaches the weights, is traced to its layer, and the run can return before it."""

import math

import pytest
import torch

from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
from engine.protocol.commands import SetLR
from engine.protocol.events import Epoch, Log, Reason
from engine.training.assemble import assemble
from engine.training.checkpoint import checkpoints_in, load_checkpoint
from engine.training.nonfinite import Guard
from engine.training.session import Session
from tests.engine.training.steering import override

RUN = """
[data]
source = "digits"
batch_size = 64
[model]
layers = [
  "Flatten", {type = "Linear", out_features = 24}, "Tanh", {type = "Linear", out_features = "auto"},
]
[optimizer]
type = "SGD"
lr = 0.1
[training]
epochs = 4
threads = 1
checkpoint_every_s = 1e-6
"""


def session_of(tmp_path, *overrides):
    return Session.create(check(reads(RUN, overrides)), runs_dir=tmp_path)


def ended(session):
    session.start()
    assert session.join(100)
    return session.drain()


def poison(session, step, how):
    """Let one step of the run go wrong: `how(network)` is called just before it."""

    def prepared(runner, build):
        loop = build()
        take, done = loop.step, []

        def taken(window):
            if loop.position.step + 1 == step and len(done) < how.times:
                done.append(step)
                with how(loop):
                    take(window)
            else:
                take(window)

        loop.step = taken
        return loop

    override(session, build=prepared)


class Hooked:
    """Multiplies the output of a layer, or its gradient, by infinity, for one step."""

    def __init__(self, name, backward=False, times=1):
        self.name, self.backward, self.times = name, backward, times

    def __call__(self, loop):
        self.loop = loop
        return self

    def __enter__(self):
        def hook(_module, _inputs, output):
            if not self.backward:
                return output * math.inf
            output.register_hook(lambda gradient: gradient * math.inf)
            return None

        # First of all hooks, so that those that look come after it; it stays until the run goes on elsewhere.
        self.handle = self.loop.network.get_submodule(self.name).register_forward_hook(hook, prepend=True)

    def __exit__(self, *raised):
        if raised[0] is None:
            self.handle.remove()


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "RMSprop", "NAdam", "Adagrad"])
@pytest.mark.parametrize("clip", ["regularization.l1=0", "regularization.clip_grad_norm=1.0"])
def test_an_update_that_is_not_finite_never_reaches_the_weights(tmp_path, optimizer, clip):
    session = session_of(tmp_path, f"optimizer.type={optimizer}", "optimizer.lr=0.01", clip)
    poison(session, 30, Hooked("1", backward=True))
    seen = {}

    def look(loop):
        take = loop.step

        def taken(window):
            seen["weights"] = {n: p.detach().clone() for n, p in loop.network.state_dict().items()}
            take(window)

        loop.step = taken
        return loop

    override(session, build=lambda runner, build: look(build()))
    events = ended(session)
    assert events[-1].reason is Reason.FAILED
    assert "A gradient stopped being finite at step 30, in epoch 2" in events[-1].message
    assert events[-1].step == 29
    for name, value in session.network.state_dict().items():
        assert torch.equal(value, seen["weights"][name]) and torch.isfinite(value).all()


@pytest.mark.parametrize(
    ("name", "backward", "said"),
    [
        ("1", False, "the output of model.layers[1] Linear is the first that is not finite"),
        ("2", False, "the output of model.layers[2] Tanh is the first that is not finite"),
        ("3", True, "the loss is finite; on the way back the gradient behind the loss is not"),
        ("1", True, "the loss is finite; on the way back the gradient behind model.layers[2] Tanh is not"),
    ],
)
def test_the_layer_where_it_began_is_named(tmp_path, name, backward, said):
    session = session_of(tmp_path)
    poison(session, 5, Hooked(name, backward=backward))
    end = ended(session)[-1]
    assert end.reason is Reason.FAILED and said in end.message, end.message
    assert "optimizer.lr" in end.message and "\n" not in end.message


def test_data_that_is_not_finite_is_named_as_such(tmp_path):
    session = session_of(tmp_path)

    def prepared(runner, build):
        loop = build()
        step = loop.step

        def taken(window):
            if loop.position.step == 6:
                window[0].inputs[0][0, 0, 0, 0] = float("nan")
            step(window)

        loop.step = taken
        return loop

    override(session, build=prepared)
    end = ended(session)[-1]
    assert "the batch itself holds a value that is not finite, so look at the data" in end.message
    assert "at step 7" in end.message


def test_a_run_returns_to_its_last_checkpoint_with_half_the_rate_and_completes(tmp_path):
    session = session_of(tmp_path, 'training.on_not_finite="rewind"')
    hooked = Hooked("1")
    poison(session, 60, hooked)

    def gone_back(runner, rewind):
        hooked.handle.remove()
        return rewind()

    override(session, rewind=gone_back)
    events = ended(session)
    assert events[-1].reason is Reason.COMPLETED
    (said,) = [e.message for e in events if isinstance(e, Log) and "The run returned to" in e.message]
    assert "A gradient stopped being finite at step 60, in epoch 3" in said and "model.layers[1] Linear" in said
    assert "The run returned to epoch-0002-step-000046 with half the rate, 0.05 for the next step (1 of 3)." in said
    rates = {e.epoch: e.lr for e in events if isinstance(e, Epoch)}
    assert rates == {1: 0.1, 2: 0.1, 3: 0.05, 4: 0.05}
    state = load_checkpoint(checkpoints_in(session.directory / "checkpoints")[-1]).state
    assert state["rewinds"] == 1 and state["position"]["step"] == 92


def test_a_run_returns_to_a_checkpoint_a_limited_number_of_times(tmp_path):
    session = session_of(tmp_path, 'training.on_not_finite="rewind"', "training.max_rewinds=2")
    hooked = Hooked("3", times=9)
    poison(session, 30, hooked)

    def gone_back(runner, rewind):
        hooked.handle.remove()
        return rewind()

    override(session, rewind=gone_back)
    events = ended(session)
    assert (
        events[-1].reason is Reason.FAILED
        and "returned to a checkpoint 2 times and halved the rate each time" in events[-1].message
    )
    said = [e.message for e in events if isinstance(e, Log) and "The run returned to" in e.message]
    assert [s.rpartition("half the rate, ")[2] for s in said] == [
        "0.05 for the next step (1 of 2).",
        "0.025 for the next step (2 of 2).",
    ]
    assert all("The loss stopped being finite at step 30" in s for s in said)


def test_a_rate_that_was_set_by_hand_is_halved_and_not_that_of_the_schedule(tmp_path):
    session = session_of(tmp_path, 'training.on_not_finite="rewind"', "training.epochs=200000")
    session.start()
    while not [e for e in session.drain() if isinstance(e, Epoch)]:
        pass
    session.send(SetLR(value=1e36))
    events = []
    while not (said := [e.message for e in events if isinstance(e, Log) and "The run returned to" in e.message]):
        events += session.drain()
        assert session.alive
    session.interrupt()
    assert session.join(60)
    assert "with half the rate" in said[0]


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "SGD", "Adagrad"])
def test_without_a_check_on_the_host_the_fused_optimizer_skips_the_step(optimizer):
    plan = check(reads(RUN, [f"optimizer.type={optimizer}"]))
    loop = assemble(plan, load_data(plan.experiment.data, 0), None)
    loop.guard = Guard(loop.optimizer, list(loop.network.parameters()), waits=False)
    batches = list(loop.batches.training(64, 0, 1))
    loop.step([batches[0]])
    assert loop.guard.fetch()
    before = {n: p.detach().clone() for n, p in loop.network.named_parameters()}
    moments = [s.clone() for slots in loop.optimizer.state.values() for s in slots.values() if torch.is_tensor(s)]

    def hook(_module, _inputs, output):
        output.register_hook(lambda gradient: gradient * math.nan)

    handle = loop.network.get_submodule("1").register_forward_hook(hook)
    loop.step([batches[1]])
    handle.remove()
    assert all(torch.equal(p, before[n]) for n, p in loop.network.named_parameters())
    after = [s for slots in loop.optimizer.state.values() for s in slots.values() if torch.is_tensor(s)]
    assert all(map(torch.equal, moments, after))
    assert not loop.guard.fetch() and loop.guard.fetch()
    loop.step([batches[2]])
    assert not all(torch.equal(p, before[n]) for n, p in loop.network.named_parameters())
