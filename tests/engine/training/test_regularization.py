"""[regularization] does what a person would write by hand, also after resuming."""

import shutil

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.data import load_data
from engine.experiment import Regularization, reads
from engine.plan import check
from engine.protocol.events import Epoch, Reason
from engine.training.batches import Batch
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.mixing import Mixing
from engine.training.order import epoch_order
from engine.training.session import Session
from tests.engine.training.steering import interrupt_when

SMALL = """
seed = 3
[data]
source = "digits"
batch_size = 256
[model]
layers = [{type = "Conv2d", out_channels = 4, kernel_size = 3}, "BatchNorm2d", "ReLU", "Flatten",
  {type = "Dropout", p = 0.2}, {type = "Linear", out_features = "auto"}]
[loss]
type = "CrossEntropyLoss"
[optimizer]
type = "SGD"
lr = 0.1
momentum = 0.9
[training]
epochs = 4
threads = 1
"""
LINEAR = SMALL.replace(
    SMALL[SMALL.index("layers") : SMALL.index("[loss]")], 'layers = ["Flatten", {type = "Linear", out_features = 10}]\n'
)
SERIES = """
seed = 1
[data]
source = "mackey-glass"
length = 400
window = 12
batch_size = 80
[model]
layers = [{type = "GRU", hidden_size = 6}, {type = "Linear", out_features = "auto"}]
[training]
epochs = 3
threads = 1
"""


def session_of(text, tmp_path, *overrides):
    return Session.create(check(reads(text, overrides)), runs_dir=tmp_path)


def finished(session):
    session.start()
    assert session.join(120)
    return session.drain()


def measured(events):
    return [e.metrics for e in events if isinstance(e, Epoch)]


def said(text, *overrides):
    return [str(mistake) for mistake in check(reads(text, overrides)).mistakes]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def by_hand(text, criterion, step, *, epochs, batch, after_step=lambda network: None):
    """The tutorial's loop over a network of one Linear layer; `step` is told the network, its optimizer and a batch."""
    data = load_data(reads(text).experiment.data, 3)
    torch.manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, fused=True)
    for epoch in range(1, epochs + 1):
        order = data.train[epoch_order(len(data.train), 3, epoch)]
        for some in order.split(batch):
            optimizer.zero_grad()
            step(network, data.x[some], data.y[some], criterion)
            optimizer.step()
            after_step(network)
    return network


def plain_step(network, x, y, criterion):
    criterion(network(x), y).backward()


def assert_same(ours, theirs):
    pairs = list(zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
    assert pairs
    for one, other in pairs:
        assert torch.equal(one, other)


def test_the_elastic_net_is_the_loss_with_both_penalties_written_by_hand(tmp_path):
    def step(network, x, y, criterion):
        weight = network[1].weight
        (criterion(network(x), y) + 1e-3 * weight.abs().sum() + 2e-3 * weight.square().sum()).backward()

    session = session_of(LINEAR, tmp_path, "regularization.l1=1e-3", "regularization.l2=2e-3")
    finished(session)
    expected = by_hand(LINEAR, nn.CrossEntropyLoss(), step, epochs=4, batch=256)
    for ours, theirs in zip(session.network.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_gradients_are_clipped_by_value_as_torch_clips_them(tmp_path):
    def step(network, x, y, criterion):
        criterion(network(x), y).backward()
        nn.utils.clip_grad_value_(network.parameters(), 0.01)

    session = session_of(LINEAR, tmp_path, "regularization.clip_grad_value=0.01")
    finished(session)
    assert_same(session.network, by_hand(LINEAR, nn.CrossEntropyLoss(), step, epochs=4, batch=256))


def test_only_named_layers_are_penalized(tmp_path):
    strong = ("regularization.l1=1.0", "training.epochs=8", "optimizer.lr=1e-3", "optimizer.momentum=0.0")
    for names, shrunk in (("[0]", "0.weight"), ('["Linear"]', "5.weight"), ('["model.layers[1]"]', "1.weight")):
        session = session_of(SMALL, tmp_path, *strong, f"regularization.l1_layers={names}")
        free = session_of(SMALL, tmp_path, *strong[1:])
        finished(session)
        finished(free)
        ratio = {
            name: float(weight.abs().sum() / free.network.state_dict()[name].abs().sum())
            for name, weight in session.network.state_dict().items()
            if name in ("0.weight", "1.weight", "5.weight")
        }
        assert min(ratio, key=ratio.get) == shrunk and ratio[shrunk] < 0.97
        assert all(value > 0.97 for name, value in ratio.items() if name != shrunk)


def test_mixup_blends_samples_and_counts_both_targets_by_their_share(tmp_path):
    def step(network, x, y, criterion):
        share = float(torch.distributions.Beta(*torch.tensor([0.4, 0.4], dtype=torch.float64)).sample())
        output = network(torch.lerp(x, x.roll(1, 0), 1 - share))
        (share * criterion(output, y) + (1 - share) * criterion(output, y.roll(1, 0))).backward()

    session = session_of(LINEAR, tmp_path, "regularization.mixup=0.4", "training.epochs=2")
    finished(session)
    expected = by_hand(LINEAR, nn.CrossEntropyLoss(), step, epochs=2, batch=256)
    for ours, theirs in zip(session.network.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_cutmix_learns_more_evenly_than_a_network_without_it(tmp_path):
    plain = measured(finished(session_of(SMALL, tmp_path)))
    cut = measured(finished(session_of(SMALL, tmp_path, "regularization.cutmix=1.0")))
    # The samples that are trained on are harder; those that are validated on are whole.
    assert cut[-1]["train_loss"] > 1.3 * plain[-1]["train_loss"]
    assert cut[-1]["val_accuracy"] > 0.5 and cut[-1]["train_loss"] > cut[-1]["val_loss"]


def test_the_moving_average_equals_torchs_and_is_validated_and_saved(tmp_path):
    averaged = []

    def after_step(network):
        if not averaged:
            averaged.append(AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True))
        averaged[0].update_parameters(network)

    session = session_of(LINEAR, tmp_path, "regularization.average={type='ema', decay=0.9}")
    epochs = measured(finished(session))
    trained = by_hand(LINEAR, nn.CrossEntropyLoss(), plain_step, epochs=4, batch=256, after_step=after_step)
    expected = averaged[0].module
    assert_same(session.network, expected)
    assert not torch.equal(expected[1].weight, trained[1].weight)
    data = load_data(session.plan.experiment.data, 3)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(expected(data.x[data.validation]), data.y[data.validation])
    assert epochs[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-5)
    assert "the averaged weights are kept" in session.finished.message
    for kind in ("best", "last"):
        checkpoint = newest_checkpoint(session.directory / "checkpoints", kind=kind)
        if epochs[-1]["val_loss"] == min(e["val_loss"] for e in epochs) or kind == "last":
            assert all(torch.equal(w, expected.state_dict()[n]) for n, w in load_checkpoint(checkpoint).model.items())


def test_stochastic_weight_averaging_is_the_mean_of_the_last_epochs(tmp_path):
    ends = []
    session = session_of(LINEAR, tmp_path, "regularization.average={type='swa', start=0.5}")
    plain = measured(finished(session_of(LINEAR, tmp_path)))
    epochs = measured(finished(session))
    by_hand(
        LINEAR,
        nn.CrossEntropyLoss(),
        plain_step,
        epochs=4,
        batch=256,
        after_step=lambda network: ends.append(network[1].weight.detach().clone()),
    )
    third, fourth = ends[len(ends) * 3 // 4 - 1], ends[-1]
    assert torch.allclose(session.network.state_dict()["1.weight"], (third + fourth) / 2, atol=1e-7)
    assert [e["train_loss"] for e in epochs] == [e["train_loss"] for e in plain]
    assert [a["val_loss"] == b["val_loss"] for a, b in zip(epochs, plain, strict=True)] == [True, True, True, False]


def test_an_averaged_network_has_the_batch_statistics_of_its_own_weights(tmp_path):
    session = session_of(SMALL, tmp_path, "regularization.average={type='swa', start=0.25}")
    finished(session)
    data = load_data(session.plan.experiment.data, 3)
    with torch.no_grad():
        seen = session.network[0](data.x[data.train])
    assert torch.allclose(session.network[1].running_mean, seen.mean((0, 2, 3)), rtol=1e-2, atol=1e-3)
    assert torch.allclose(session.network[1].running_var, seen.var((0, 2, 3)), rtol=1e-2)


def test_a_run_can_resume_with_another_average_or_without_one(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)  # viewers are attended to between any two batches
    session = session_of(SMALL, tmp_path, "regularization.average={type='ema', decay=0.5}")
    interrupt_when(session, lambda loop: loop.position.step >= 7)
    finished(session)
    assert session.finished.reason is Reason.INTERRUPTED
    others = (("{type='swa', start=0.5}", True), ("none", False), ("{type='ema', decay=0.9}", True))
    for i, (other, kept) in enumerate(others):
        copy = tmp_path / f"copy-{i}"
        shutil.copytree(session.directory, copy)
        resumed = Session.resume(copy, (f"regularization.average={other}",))
        finished(resumed)
        assert resumed.finished.reason is Reason.COMPLETED
        assert ("the averaged weights are kept" in resumed.finished.message) is kept


def test_an_average_that_includes_the_first_weights_is_a_warning():
    (text,) = said(SMALL, "regularization.average=ema")
    assert text.startswith(
        "regularization.average.decay: the average spans about 1,000 steps; only 24 steps are averaged"
    )
    assert said(SMALL, "regularization.average={type='ema', decay=0.8}") == []
    (text,) = said(SMALL, "regularization.average={type='ema', decay=0.8, start_epoch=5}")
    assert text.startswith("regularization.average.start_epoch: found 5; the run has 4 epochs")
    (text,) = said(SMALL, "regularization.average={type='swa', decay=0.9}")
    assert "expected one of type, start" in text
    (text,) = said(SMALL, "regularization.average=emma")
    assert "expected one of 'ema', 'swa'" in text


def test_numeric_targets_are_blended_like_their_samples():
    torch.manual_seed(0)
    vectors, images = torch.rand(6, 5), torch.arange(6.0)[:, None, None, None].expand(6, 1, 9, 7).clone()
    for x, settings in ((vectors, Regularization(mixup=1.0)), (images, Regularization(cutmix=1.0))):
        mixing = Mixing(settings, numbers=True)
        for _ in range(20):
            batch = mixing(Batch((x.clone(),), x.flatten(1).mean(1, keepdim=True), 6))
            assert torch.allclose(batch.target, batch.inputs[0].flatten(1).mean(1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (SMALL, ["regularization.mixup=0.4"]),
        (SMALL, ["regularization.cutmix=1.0"]),
        (SMALL, ["regularization.mixup=0.4", "regularization.cutmix=1.0", "training.accumulation_steps=2"]),
        (SERIES, ["regularization.mixup=0.4"]),
        (SMALL, ["regularization.average={type='ema', decay=0.9}"]),
        (SMALL, ["regularization.average={type='ema', decay=0.9, start_epoch=3}", "training.early_stopping={}"]),
        (SMALL, ["regularization.average={type='swa', start=0.5}"]),
        (SMALL, ["regularization.average={type='swa', start=0.25}", "regularization.cutmix=1.0"]),
    ],
)
def test_a_run_resumes_bit_for_bit(text, overrides, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)  # viewers are attended to between any two batches
    whole = session_of(text, tmp_path, *overrides)
    expected = measured(finished(whole))
    steps = whole.plan.steps
    seen, session = [], session_of(text, tmp_path, *overrides)
    for at in (1, steps // 2, steps - 1, None):
        interrupt_when(session, lambda loop, at=at: loop.position.step == at)
        seen += finished(session)
        if at is not None:
            assert session.finished.reason is Reason.INTERRUPTED
            session = Session.resume(session.directory)
    assert session.finished.reason is Reason.COMPLETED and measured(seen) == expected
    assert_same(session.network, whole.network)


@pytest.mark.parametrize("look", [2, 3, 4])  # while the statistics of BatchNorm are measured, twice, and after it
@pytest.mark.parametrize("average", ["{type='swa', start=0.25}", "{type='ema', decay=0.9}"])
def test_an_epoch_whose_validation_was_interrupted_is_averaged_once(average, look, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)
    setting = f"regularization.average={average}"
    whole = session_of(SMALL, tmp_path, setting)
    expected = measured(finished(whole))
    session, looks = session_of(SMALL, tmp_path, setting), []
    at = 3 * whole.plan.steps_per_epoch

    def due(loop):
        looks.extend([1] * (loop.position.step == at))
        return len(looks) == look

    interrupt_when(session, due)
    seen = finished(session)
    if session.finished.reason is Reason.INTERRUPTED:
        session = Session.resume(session.directory)
        seen += finished(session)
    assert session.finished.reason is Reason.COMPLETED and measured(seen) == expected
    assert_same(session.network, whole.network)


def test_a_threshold_that_is_reached_ends_the_run_with_the_weights_that_reached_it(tmp_path):
    wanted = "training.early_stopping={monitor='val_accuracy', threshold=0.6, patience=50, min_delta=0.5}"
    session = session_of(SMALL, tmp_path, "training.epochs=60", wanted)
    events = finished(session)
    accuracies = [m["val_accuracy"] for m in measured(events)]
    end = session.finished
    assert end.reason is Reason.EARLY_STOPPED and len(accuracies) == end.epoch == end.best_epoch < 60
    assert accuracies[-1] >= 0.6 > max(accuracies[:-1], default=0)
    assert f"val_accuracy is {accuracies[-1]:.4g}, which reaches the threshold of 0.6" in end.message
    again = Session.resume(session.directory)
    assert measured(finished(again)) == [] and again.finished.message == end.message


def test_a_threshold_that_no_metric_reaches_is_a_warning():
    (text,) = said(SMALL, "training.early_stopping={monitor='val_accuracy', threshold=95.0, patience=2}")
    assert text.startswith("training.early_stopping.threshold: found 95.0; accuracy is at most 1")
    assert "Set it to 0.95." in text
    assert said(SMALL, "training.early_stopping={monitor='val_accuracy', threshold=0.95, patience=2}") == []
    (text,) = said(SERIES, "training.early_stopping={monitor='val_mae', threshold=-0.1, patience=2}")
    assert "mae is at least 0" in text


def test_settings_that_do_not_fit_the_data_or_the_model_are_mistakes_with_a_fix():
    (text,) = said(SERIES, "regularization.cutmix=1.0")
    assert text.startswith("regularization.cutmix: ") and "mixup" in text
    mistakes = said(
        SMALL, "regularization.l1=1e-3", 'regularization.l1_layers=[9, "model.layers[7]", "Linaer", "LSTM", "ReLU", 4]'
    )
    assert [m.partition(":")[0] for m in mistakes] == [f"regularization.l1_layers[{i}]" for i in range(6)]
    assert "Did you mean Linear?" in mistakes[2] and "has no LSTM" in mistakes[3] and "no weights" in mistakes[5]
    assert "almost no sample is mixed" in said(SMALL, "regularization.mixup=1e-9")[0]
    assert "at most 100" in said(SMALL, "regularization.cutmix=1e9")[0]
    assert "neither l1 nor l2" in said(SMALL, "regularization.l1_layers=[0]")[0]


def test_tokens_are_not_blended():
    tokens = SERIES.replace('source = "mackey-glass"\nlength = 400\nwindow = 12', 'source = "stdlib-docs"').replace(
        '[{type = "GRU"', '[{type = "Embedding", embedding_dim = 4}, {type = "GRU"'
    )
    mistakes = said(tokens, "regularization.mixup=0.2", "regularization.cutmix=1.0")
    assert [m.partition(":")[0] for m in mistakes] == ["regularization.mixup", "regularization.cutmix"]
