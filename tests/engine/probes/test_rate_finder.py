"""The learning-rate finder: its losses are those of a loop by hand, and it leaves no trace."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from engine.data import load_data
from engine.experiment import Refused, read, reads
from engine.plan import check
from engine.probes import RateFound, RateStep, find_rate
from engine.probes.rate_finder import suggestion
from engine.protocol.events import Epoch
from engine.training.session import Session

CNN = """
seed = 3
[data]
source = "digits"
batch_size = 64
[model]
layers = [
  {type = "Conv2d", out_channels = 8, kernel_size = 3, padding = 1}, "BatchNorm2d", "ReLU",
  {type = "MaxPool2d", kernel_size = 2}, "Flatten",
  {type = "Dropout", p = 0.3}, {type = "Linear", out_features = "auto"},
]
[optimizer]
type = "Adam"
lr = 2e-3
groups = [{layers = [0], lr = 2e-4}]
[scheduler]
type = "OneCycleLR"
[regularization]
clip_grad_norm = 0.5
average = "ema"
[training]
epochs = 2
threads = 1
"""

LSTM = """
seed = 5
[data]
source = "mackey-glass"
length = 800
window = 24
batch_size = 50
[model]
layers = [{type = "LSTM", hidden_size = 12, num_layers = 2, dropout = 0.2}, {type = "Linear", out_features = "auto"}]
[loss]
type = "SmoothL1Loss"
[optimizer]
type = "SGD"
lr = 0.05
momentum = 0.9
[regularization]
l1 = 1e-4
[training]
threads = 1
"""


class LastOfLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 12, num_layers=2, dropout=0.2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


def by_hand(text, network, criterion, optimizer, *, steps, batch, seed, groups=(1.0,), clip=None, l1=0.0):
    """Smith's test in plain torch: the rate grows by one factor, the order is the run's."""
    data = load_data(reads(text).experiment.data, seed)
    x, y = data.x[data.train], data.y[data.train]
    if x.ndim == 4:
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    rates, losses, epoch, order = [], [], 0, []
    for step in range(steps):
        if not len(order):
            epoch += 1
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        some, order = order[:batch], order[batch:]
        lr = 1e-6 * (1.0 / 1e-6) ** (step / (steps - 1))
        for group, factor in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = lr * factor
        optimizer.zero_grad()
        loss = criterion(network(x[some]), y[some])
        objective = loss
        if l1:
            objective = loss + l1 * torch.stack([p.abs().sum() for p in network.parameters() if p.ndim > 1]).sum()
        objective.backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        rates.append(lr)
        losses.append(loss.item())
    return rates, losses


def found(text, steps):
    records = list(find_rate(check(reads(text)), lowest=1e-6, highest=1.0, steps=steps))
    taken = [r for r in records if isinstance(r, RateStep)]
    assert isinstance(records[-1], RateFound)
    return taken, records[-1]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_losses_of_a_cnn_are_those_of_a_loop_by_hand_to_the_last_bit_and_groups_keep_their_proportion():
    taken, _ = found(CNN, 40)
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(128, 10),
    )  # fmt: skip
    groups = [[*network[1].parameters(), *network[6].parameters()], [*network[0].parameters()]]
    optimizer = torch.optim.Adam([{"params": group} for group in groups], lr=2e-3, fused=True)
    rates, losses = by_hand(
        CNN, network, nn.CrossEntropyLoss(), optimizer, steps=40, batch=64, seed=3, groups=(1.0, 0.1), clip=0.5
    )
    assert [step.loss for step in taken] == losses[: len(taken)]
    assert [step.lr for step in taken] == pytest.approx(rates[: len(taken)])
    assert len(taken) > 25


def test_the_losses_of_an_lstm_are_those_of_a_loop_by_hand_to_the_last_bit():
    taken, _ = found(LSTM, 60)
    torch.manual_seed(5)
    network = nn.Sequential(LastOfLSTM(), nn.Linear(12, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, fused=True)
    _, losses = by_hand(LSTM, network, nn.SmoothL1Loss(), optimizer, steps=60, batch=50, seed=5, l1=1e-4)
    assert [step.loss for step in taken] == losses[: len(taken)]
    assert len(taken) > 40


def test_the_smoothed_loss_is_the_average_corrected_for_its_beginning():
    taken, _ = found(LSTM, 20)
    for count, step in enumerate(taken, start=1):
        weights = [0.9 ** (count - 1 - i) for i in range(count)]
        mean = sum(w * s.loss for w, s in zip(weights, taken[:count], strict=True)) / sum(weights)
        assert step.smoothed == pytest.approx(mean)


@pytest.mark.parametrize("preset", ["digits-cnn", "digits-lstm"])
def test_the_rate_of_a_preset_trains_and_does_not_diverge(preset):
    *taken, last = find_rate(check(read(preset)))
    assert last.lr is not None and 1e-4 < last.lr < last.lr_at_minimum < taken[-1].lr
    assert last.ended == "diverged" and len(taken) < taken[0].steps
    assert f"{last.lr:.2g}" in last.message


@pytest.mark.parametrize(
    "optimizer",
    [
        "{type='LBFGS', line_search_fn='strong_wolfe'}",
        "{type='Muon', lr=0.02, others={type='AdamW', lr=1e-3}}",
        "'SGD'",
    ],
)
def test_the_finder_works_with_every_kind_of_optimizer(optimizer):
    text = (
        'data = {source = "wine", batch_size = 32}\nmodel = {layers = [{type = "Linear", out_features = 16}, "Tanh", '
    )
    text += '{type = "Linear", out_features = 16}, "Tanh", {type = "Linear", out_features = "auto"}]}'
    *taken, last = find_rate(check(reads(text, [f"optimizer={optimizer}"])), steps=60)
    assert last.lr is None or last.lr > 1e-5
    assert len(taken) > 30 and min(step.smoothed for step in taken) < taken[0].loss
    assert bool(last.notes) == ("Muon" in optimizer)


WINE = """
data = {source = "wine", batch_size = 32}
model = {layers = [{type = "Linear", out_features = 16}, "Tanh", {type = "Linear", out_features = "auto"}]}
"""


@pytest.mark.parametrize(
    ("scheduler", "field"),
    [
        ("{type='OneCycleLR', max_lr=0.3}", "scheduler.max_lr"),
        ("{type='CyclicLR', base_lr=0.01, max_lr=0.3}", "scheduler.max_lr"),
        ("'OneCycleLR'", "optimizer.lr"),
        ("{type='CyclicLR', base_lr=0.01}", "optimizer.lr"),
        ("'CosineAnnealingLR'", "optimizer.lr"),
        ("{type='SequentialLR', schedulers=['LinearLR', 'StepLR']}", "optimizer.lr"),
    ],
)
def test_the_finder_varies_and_suggests_the_field_that_sets_the_rate(scheduler, field):
    groups = "groups=[{layers=[2], lr=0.02}]"
    given = [f"scheduler={scheduler}", f"optimizer={{type='SGD', lr=0.2, {groups}}}"]
    *taken, last = find_rate(check(reads(WINE, given)), lowest=1e-4, highest=10.0, steps=60)
    *plain, without = find_rate(check(reads(WINE, given[1:])), lowest=1e-4, highest=10.0, steps=60)
    assert [step.loss for step in taken] == [step.loss for step in plain]  # the groups' rates stay in proportion
    assert (last.lr, last.field) == (without.lr, field)
    assert last.lr is not None
    (note,) = last.notes
    assert ("stay proportional" in note) == (field == "scheduler.max_lr")


def test_a_run_accepts_the_suggested_rate():
    given = ["scheduler={type='OneCycleLR', max_lr=0.3}", "optimizer={type='SGD', lr=0.2}"]
    *_, last = find_rate(check(reads(WINE, given)), lowest=1e-4, highest=10.0, steps=60)
    assert last.field == "scheduler.max_lr"
    assert check(reads(WINE, [*given, f"{last.field}={last.lr}"])).highest_lr == pytest.approx(last.lr)
    assert check(reads(WINE, [*given, f"optimizer.lr={last.lr}"])).highest_lr == pytest.approx(0.3)


def test_a_lowest_rate_above_the_suggestion_has_a_note():
    given = ["scheduler={type='CyclicLR', base_lr=0.9, max_lr=0.99}", "optimizer={type='Adam', lr=0.2}"]
    *_, last = find_rate(check(reads(WINE, given)), steps=80)
    assert last.lr < 0.9 and "scheduler.base_lr = 0.9 is not below it" in last.notes[0]


def curve(losses):
    """Steps with these losses, as if each were smoothed already."""
    count = len(losses)
    return [
        RateStep(step=i + 1, steps=count, lr=1e-7 * 10 ** (8 * i / (count - 1)), loss=loss, smoothed=loss)
        for i, loss in enumerate(losses)
    ]


def test_the_suggestion_is_where_the_curve_falls_most_steeply_before_its_minimum():
    rates = [1e-7 * 10 ** (8 * i / 160) for i in range(161)]
    losses = [2 - 1 / (1 + math.exp(-6 * (math.log10(r) + 3))) + max(0.0, math.log10(r) + 1) ** 2 for r in rates]
    assert suggestion(curve(losses), "diverged").lr == pytest.approx(1e-3, rel=0.15)


@pytest.mark.parametrize(
    "losses",
    [
        [1.0] * 60,
        [1.0 + 0.1 * (-1) ** i for i in range(60)],
        [1.0 + 0.02 * i for i in range(60)],
        [math.nan] * 3,
        [1.0] * 5 + [math.inf],
    ],
)
def test_a_loss_that_does_not_fall_gives_a_sentence_and_no_suggestion(losses):
    none = suggestion(curve(losses), "completed")
    assert none.lr is None
    assert none.message.startswith("No suggestion: ") and none.message.endswith(".")


def test_a_loss_that_is_not_finite_ends_it():
    *taken, last = find_rate(check(reads(LSTM.replace("SmoothL1Loss", "MSELoss"))), lowest=1e20, highest=1e38, steps=30)
    assert last.ended in ("not_finite", "diverged") and last.lr is None
    assert len(taken) < 30
    assert '"Infinity"' in taken[-1].to_json() or '"NaN"' in taken[-1].to_json()


def test_an_optimizer_without_a_rate_and_a_plan_with_mistakes_are_refused():
    with pytest.raises(Refused, match="Rprop has a step size for each weight"):
        find_rate(check(reads(LSTM, ["optimizer={type='Rprop'}"])))
    with pytest.raises(Refused, match=r"training\.epochs"):
        find_rate(check(reads(LSTM, ["training.epochs=0"])))


def globals_now():
    return (
        torch.get_rng_state().tolist(),
        torch.initial_seed(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
    )


def test_between_two_records_the_global_state_is_unchanged():
    torch.manual_seed(77)
    plan = check(reads(CNN, ["training.threads=2"]))
    before = globals_now()
    for record in find_rate(plan, steps=4):
        assert globals_now() == before, record
        assert record.event in ("rate_step", "rate_found")


def trained(text, tmp_path):
    session = Session.create(check(reads(text)), runs_dir=tmp_path)
    session.start()
    assert session.join(60)
    return [(e.train_loss, e.val_loss) for e in session.drain() if isinstance(e, Epoch)]


def test_training_after_a_probe_has_the_same_bits_as_without_it(tmp_path):
    without = trained(CNN, tmp_path)
    for _ in find_rate(check(reads(CNN)), steps=30):
        pass
    half_way = find_rate(check(reads(CNN)), steps=30)
    next(half_way), next(half_way)
    assert trained(CNN, tmp_path) == without
