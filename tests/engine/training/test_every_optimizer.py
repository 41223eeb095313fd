"""Every optimizer of the catalog with every loss that fits its task: each pair trains, or says why it cannot."""

from __future__ import annotations

from collections import deque

import pytest

from engine.catalog import catalog
from engine.catalog.losses import ONE_OUTPUT
from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
from engine.protocol.events import Epoch, Reason
from engine.training.assemble import assemble

BEFORE = {"NLLLoss": ["LogSoftmax"], "BCELoss": ["Sigmoid"]}
SETTINGS = {"LBFGS": 'line_search_fn = "strong_wolfe"'}


class LoopHost:
    """Records the epochs; has no commands."""

    def __init__(self) -> None:
        self.inbox: deque = deque()
        self.losses: list[float] = []

    def emit(self, event) -> None:
        if isinstance(event, Epoch):
            self.losses.append(event.train_loss)

    def poll(self) -> Reason | None:
        return None

    def epoch_ended(self, *, improved: bool) -> None:
        pass


def document(loss: str, optimizer: str) -> str:
    entry = catalog("losses")[loss]
    two = loss in ONE_OUTPUT or "Margin" in loss
    source = "diabetes" if "regression" in entry.tasks else "breast-cancer" if two else "wine"
    end = "".join(f', "{name}"' for name in BEFORE.get(loss, ()))
    hidden = '{type = "Linear", out_features = 8}, "Tanh", ' * (optimizer == "Muon")
    return f"""
[data]
source = "{source}"
batch_size = {32 if optimizer != "LBFGS" else 600}
[model]
layers = [{{type = "Linear", out_features = 8}}, "Tanh", {hidden}{{type = "Linear", out_features = "auto"}}{end}]
[loss]
type = "{loss}"
[optimizer]
type = "{optimizer}"
{SETTINGS.get(optimizer, "")}
[training]
epochs = 2
threads = 1
"""


@pytest.mark.parametrize("loss", list(catalog("losses")))
@pytest.mark.parametrize("optimizer", list(catalog("optimizers")))
def test_an_optimizer_lowers_a_loss_or_gives_a_reason(optimizer, loss):
    plan = check(reads(document(loss, optimizer)))
    if not plan.ok:
        assert all(m.fix for m in plan.mistakes)
        assert {m.path.split(".")[0] for m in plan.mistakes} <= {"loss", "optimizer", "model", "training"}
        return
    host = LoopHost()
    data = load_data(plan.experiment.data, plan.experiment.seed)
    assert assemble(plan, data, host).run() is Reason.COMPLETED
    first, second = host.losses
    assert second < first
