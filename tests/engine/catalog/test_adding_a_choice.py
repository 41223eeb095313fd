"""A new optimizer, loss or scheduler is one entry: catalog, check, `--set`, form and training take it from there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from engine.catalog import catalog, find, register, unregister
from engine.catalog.entry import Entry
from engine.editing.form import form
from engine.experiment import Refused, dumps, read, reads
from engine.plan import check
from engine.protocol.events import Epoch, Finished, Reason
from engine.training.session import Session


class SignSGD(torch.optim.Optimizer):
    """Steps along the sign of the gradient.

    Args:
        lr (float): the length of a step in each weight
        decay (float, optional): weight decay
    """

    def __init__(self, params, lr: float = 1e-3, decay: float = 0.0) -> None:
        if lr < 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.mul_(1 - group["lr"] * group["decay"]).add_(weight.grad.sign(), alpha=-group["lr"])


class LogCoshLoss(nn.Module):
    """The mean of the log of the hyperbolic cosine of the errors.

    Args:
        scale (float, optional): factor on the errors
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return (self.scale * (input - target)).cosh().log().mean()


class HarmonicLR(LRScheduler):
    """The rate is divided by 1 + slope · moves.

    Args:
        slope (float, optional): growth of the divisor
    """

    def __init__(self, optimizer, slope: float = 1.0, last_epoch: int = -1) -> None:
        self.slope = slope
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [lr / (1 + self.slope * self.last_epoch) for lr in self.base_lrs]


def entry(kind: str, made: type, **more) -> Entry:
    summary = made.__doc__.splitlines()[0]
    return Entry(
        kind=kind, name=made.__name__, torch_name=f"{__name__}.{made.__name__}", summary=summary, when="Here.", **more
    )


ENTRIES = (
    entry("optimizers", SignSGD),
    entry("losses", LogCoshLoss, tasks=("regression", "forecasting")),
    entry("schedulers", HarmonicLR),
)
CHANGES = (
    *("optimizer=SignSGD", "optimizer.lr=0.01", "loss=LogCoshLoss", "loss.scale=0.5"),
    *(
        "scheduler=HarmonicLR",
        "scheduler.slope=0.25",
        "training.epochs=4",
        "training.threads=1",
        "training.early_stopping=false",
    ),
)


@pytest.fixture(autouse=True)
def registered():
    for each in ENTRIES:
        register(each)
    yield
    for each in ENTRIES:
        unregister(each)


def test_an_entry_is_in_the_catalog_with_the_parameters_of_its_signature():
    assert [*catalog("optimizers")][-1] == "SignSGD"
    assert {name: p.default for name, p in find("optimizers", "SignSGD").parameters.items()} == {
        "lr": 1e-3,
        "decay": 0.0,
    }
    assert find("losses", "LogCoshLoss").parameters["scale"].help == "Factor on the errors."
    assert list(find("schedulers", "HarmonicLR").parameters) == ["slope"]


def test_an_entry_is_checked_as_every_other():
    plan = check(read("mlp-diabetes", CHANGES))
    assert plan.ok and not plan.mistakes
    steps = plan.steps_per_epoch
    assert plan.lr[::steps] == pytest.approx([0.01 / (1 + 0.25 * epoch) for epoch in range(4)])
    assert 'type = "SignSGD"' in dumps(plan.experiment) and "decay = 0.0" in dumps(plan.experiment)
    wrong = ("optimizer.lr=-1.0", "loss.scale=large", "scheduler.slop=2.0")
    mistakes = check(read("mlp-diabetes", [*CHANGES, *wrong])).mistakes
    assert [mistake.path for mistake in mistakes] == ["loss.scale", "optimizer.lr", "scheduler.slop"]
    assert "Invalid learning rate: -1.0" in mistakes[1].expected
    assert mistakes[2].fix == "Did you mean slope?"
    other_task = check(read("wine", ["loss=LogCoshLoss"])).mistakes
    assert [mistake.path for mistake in other_task] == ["loss.type"]


@pytest.mark.parametrize(("part", "name"), [("optimizer", "decay"), ("loss", "scale"), ("scheduler", "slope")])
def test_an_entry_has_a_form(part, name):
    draft = reads(dumps(read("mlp-diabetes", CHANGES).experiment))
    fields = {field.path: field for field in form(part, draft, check(draft).experiment)}
    assert fields[f"{part}.{name}"].is_number
    chosen = fields[part] if part in fields else fields[f"{part}.type"]
    assert getattr(draft.experiment, part).type in chosen.options


def test_an_entry_trains(tmp_path):
    session = Session.create(check(read("mlp-diabetes", CHANGES)), runs_dir=tmp_path)
    session.start()
    assert session.join(60)
    events = session.drain()
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert isinstance(events[-1], Finished) and events[-1].reason is Reason.COMPLETED
    assert [event.lr for event in epochs] == pytest.approx([0.01 / (1 + 0.25 * epoch) for epoch in range(4)])
    assert epochs[-1].train_loss < epochs[0].train_loss


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="SignSGD"):
        register(ENTRIES[0])
    unregister(ENTRIES[0])
    with pytest.raises(Refused):
        find("optimizers", "SignSGD")
    register(ENTRIES[0])
