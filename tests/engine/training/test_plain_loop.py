"""A run's losses are those of the loop that a person would write by hand, bit for bit."""

import dataclasses

import pytest
import torch
from torch import nn

from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
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
[loss]
type = "CrossEntropyLoss"
label_smoothing = 0.1
[optimizer]
type = "Adam"
lr = 2e-3
[scheduler]
type = "CosineAnnealingLR"
[regularization]
clip_grad_norm = 0.5
[training]
epochs = 3
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
nesterov = true
[regularization]
l1 = 1e-4
[training]
epochs = 3
threads = 1
"""


class LastOfLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 12, num_layers=2, dropout=0.2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


def by_hand(text, network, criterion, optimizer_of, *, epochs, batch, seed, scheduler_of=None, clip=None, l1=0.0):
    """The tutorial's loop. Its data, too, is only what `load_data` read: order, batches and steps are its own."""
    data = load_data(reads(text).experiment.data, seed)
    if len(data.x.shape) == 4:
        network = network.to(memory_format=torch.channels_last)
        data = dataclasses.replace(data, x=data.x.to(memory_format=torch.channels_last))
    x, y = data.x[data.train], data.y[data.train]
    xv, yv = data.x[data.validation], data.y[data.validation]
    optimizer = optimizer_of(network.parameters())
    scheduler = scheduler_of(optimizer) if scheduler_of else None
    losses = []
    for epoch in range(1, epochs + 1):
        network.train()
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        total = 0.0
        for i in range(0, len(x), batch):
            some = order[i : i + batch]
            optimizer.zero_grad()
            loss = criterion(network(x[some]), y[some])
            penalty = l1 * torch.stack([p.abs().sum() for p in network.parameters() if p.ndim > 1]).sum() if l1 else 0.0
            (loss + penalty if l1 else loss).backward()
            if clip:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            total += loss.item() * len(some)
        network.eval()
        val = 0.0
        with torch.no_grad():
            for i in range(0, len(xv), 4 * batch):
                val += criterion(network(xv[i : i + 4 * batch]), yv[i : i + 4 * batch]).item() * len(
                    xv[i : i + 4 * batch]
                )
        losses.append((total / len(x), val / len(xv)))
        if scheduler:
            scheduler.step()
    return losses


def run(text, tmp_path):
    session = Session.create(check(reads(text)), runs_dir=tmp_path)
    session.start()
    assert session.join(120)
    epochs = [e for e in session.drain() if isinstance(e, Epoch)]
    return [(e.train_loss, e.val_loss) for e in epochs], session


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_cnn_gets_the_losses_of_a_loop_written_by_hand_to_the_last_bit(tmp_path):
    losses, session = run(CNN, tmp_path)
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )
    expected = by_hand(
        CNN,
        network,
        nn.CrossEntropyLoss(label_smoothing=0.1),
        lambda p: torch.optim.Adam(p, lr=2e-3, fused=True),
        epochs=3,
        batch=64,
        seed=3,
        scheduler_of=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=3),
        clip=0.5,
    )
    assert losses == expected
    for ours, theirs in zip(session.network.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_lstm_gets_the_losses_of_a_loop_written_by_hand_to_the_last_bit(tmp_path):
    losses, _ = run(LSTM, tmp_path)
    torch.manual_seed(5)
    network = nn.Sequential(LastOfLSTM(), nn.Linear(12, 1))
    expected = by_hand(
        LSTM,
        network,
        nn.SmoothL1Loss(),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=True),
        epochs=3,
        batch=50,
        seed=5,
        l1=1e-4,
    )
    assert losses == expected


def test_two_runs_with_one_seed_are_equal_to_the_last_bit_and_another_seed_is_not(tmp_path):
    one, _ = run(CNN, tmp_path)
    again, _ = run(CNN, tmp_path)
    other, _ = run(CNN.replace("seed = 3", "seed = 4"), tmp_path)
    assert one == again
    assert one[0] != other[0]


def test_accumulated_gradients_are_those_of_one_large_batch(tmp_path):
    large = CNN.replace('"BatchNorm2d", ', "").replace("p = 0.3", "p = 0.0")
    small = large.replace("batch_size = 64", "batch_size = 16") + "accumulation_steps = 4\n"
    (whole, _), (pieces, _) = run(large, tmp_path), run(small, tmp_path)
    for (train, val), (train_pieces, val_pieces) in zip(whole, pieces, strict=True):
        assert train_pieces == pytest.approx(train, rel=1e-4)
        assert val_pieces == pytest.approx(val, rel=1e-4)
