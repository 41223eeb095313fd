"""Gradients of a window of batches are those of one batch of all its samples, whatever the loss divides by."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.catalog import catalog
from engine.catalog.losses import ONE_OUTPUT
from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
from engine.training.assemble import assemble
from engine.training.batches import Batch
from engine.training.mixing import MixedBatch

BEFORE = {"NLLLoss": ', "LogSoftmax"', "BCELoss": ', "Sigmoid"', "PoissonNLLLoss": ', "Softplus"'}
AUTO = '{type = "Linear", out_features = "auto"}'
WEIGHTED = {
    "CrossEntropyLoss": ["weight=[1.0, 0.25, 4.0]", "ignore_index=1", "label_smoothing=0.1"],
    "NLLLoss": ["weight=[1.0, 0.0, 4.0]", "ignore_index=2"],
    "MultiMarginLoss": ["weight=[1.0, 0.25, 4.0]"],
    "BCEWithLogitsLoss": ["pos_weight=3.0"],
    "PoissonNLLLoss": ["log_input=false"],
}
CASES = [
    (name, settings)
    for name in catalog("losses")
    for settings in [(), *((s,) for s in WEIGHTED.get(name, ())), tuple(WEIGHTED.get(name, ()))]
]


def loop_of(loss, settings):
    entry = catalog("losses")[loss]
    source = "diabetes" if "regression" in entry.tasks else "breast-cancer" if loss in ONE_OUTPUT else "wine"
    plan = check(
        reads(
            f"""
[data]
source = "{source}"
batch_size = 16
[model]
layers = [{{type = "Linear", out_features = 6}}, "Tanh", {AUTO}{BEFORE.get(loss, "")}]
[loss]
type = "{loss}"
[training]
threads = 1
accumulation_steps = 4
""",
            [f"loss.{setting}" for setting in settings],
        )
    )
    assert plan.ok, plan.mistakes
    loop = assemble(plan, load_data(plan.experiment.data, 0), None)
    loop.network.double()
    loop.criterion.double()
    return loop


def double(batch):
    target = batch.target.double() if batch.target.is_floating_point() else batch.target
    return Batch(tuple(x.double() for x in batch.inputs), target, batch.size)


def gradients(loop, window):
    loop.optimizer.zero_grad()
    loop.gradients(window)
    return torch.cat([p.grad.flatten() for p in loop.network.parameters()])


@pytest.mark.parametrize(("loss", "settings"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_window_has_the_gradient_and_the_loss_of_one_batch_of_all_its_samples(loss, settings):
    loop = loop_of(loss, settings)
    first, *_, last = loop._windows()
    window = [double(batch) for batch in (*first, *last)]
    assert window[-1].size < window[0].size
    inputs = torch.cat([batch.inputs[0] for batch in window])
    whole = Batch((inputs,), torch.cat([batch.target for batch in window]), len(inputs))
    torch.testing.assert_close(gradients(loop, window), gradients(loop, [whole]), rtol=1e-12, atol=1e-15)
    losses = loop.losses._waiting
    loop.losses._waiting = losses[:-1]
    total, weight, samples, _ = loop.losses.fetch()
    assert samples == whole.size
    assert total / weight == pytest.approx(float(losses[-1][0]), rel=1e-12)


def test_a_batch_of_which_no_sample_counts_adds_nothing():
    loop = loop_of("CrossEntropyLoss", ("ignore_index=1",))
    x = torch.randn(8, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    none, some = Batch((x,), torch.full((8,), 1), 8), Batch((x,), torch.arange(8) % 3, 8)
    torch.testing.assert_close(gradients(loop, [none, some]), gradients(loop, [some]), rtol=1e-12, atol=1e-15)
    assert not gradients(loop, [none, none]).any()


def test_blended_batches_count_by_their_classes_too():
    loop = loop_of("CrossEntropyLoss", ("weight=[1.0, 0.25, 4.0]",))
    x = torch.randn(12, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target = torch.arange(12) % 3
    parts = [slice(0, 5), slice(5, 12)]
    window = [MixedBatch((x[p],), target[p], len(x[p]), partner=target[p].roll(1), share=0.7) for p in parts]
    weights = torch.tensor([1.0, 0.25, 4.0], dtype=torch.float64)
    partner = torch.cat([target[p].roll(1) for p in parts])
    whole = MixedBatch((x,), target, 12, partner=partner, share=0.7)
    torch.testing.assert_close(gradients(loop, window), gradients(loop, [whole]), rtol=1e-12, atol=1e-15)
    by_hand = nn.CrossEntropyLoss(weight=weights)
    expected = 0.7 * by_hand(loop.network(x), target) + 0.3 * by_hand(loop.network(x), partner)
    assert float(whole.loss(loop.criterion, loop.network(x)).detach()) == pytest.approx(float(expected.detach()))
