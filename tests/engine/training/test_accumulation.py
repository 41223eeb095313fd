"""Gradients of accumulated batches are those of one large batch, for every kind of loss."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from engine.catalog import catalog
from engine.catalog.losses import ONE_OUTPUT
from engine.data import load_data
from engine.experiment import Regularization, reads
from engine.plan import check
from engine.training.accumulation import Accumulation, split
from engine.training.assemble import assemble
from engine.training.batches import Batch
from engine.training.mixing import MixedBatch, Mixing

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
    return in_parts(loop, window, 1)


def in_parts(loop, window, parts):
    loop.optimizer.zero_grad()
    step = Accumulation(loop, window, micro_batches=parts)
    step.add_gradients()
    loop.record(step.result())
    return torch.cat([p.grad.flatten() for p in loop.network.parameters()])


@pytest.mark.parametrize(("loss", "settings"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_accumulated_batches_have_the_gradient_and_the_loss_of_one_large_batch(loss, settings):
    loop = loop_of(loss, settings)
    first, *_, last = loop.epoch_batches(1)
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


def test_a_batch_without_samples_that_count_adds_nothing():
    loop = loop_of("CrossEntropyLoss", ("ignore_index=1",))
    x = torch.randn(8, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    none, some = Batch((x,), torch.full((8,), 1), 8), Batch((x,), torch.arange(8) % 3, 8)
    torch.testing.assert_close(gradients(loop, [none, some]), gradients(loop, [some]), rtol=1e-12, atol=1e-15)
    assert not gradients(loop, [none, none]).any()
    assert not gradients(loop, [none]).any()
    assert loop.losses.fetch()[1] == 10  # five of `some`, twice


def test_a_batch_of_weight_0_adds_nothing_with_label_smoothing():
    loop = loop_of("CrossEntropyLoss", ("weight=[0.0, 1.0, 1.0]", "label_smoothing=0.2"))
    x = torch.randn(8, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    none = Batch((x,), torch.zeros(8, dtype=torch.int64), 8)
    assert not gradients(loop, [none]).any()
    assert not gradients(loop, [none, none]).any()
    assert loop.losses.fetch()[:2] == (0.0, 0.0)


def test_blended_batches_are_weighted_by_their_classes():
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


SETTINGS = [
    (),
    ("weight=[1.0, 0.25, 4.0]",),
    ("ignore_index=1",),
    ("weight=[1.0, 0.25, 4.0]", "ignore_index=1"),
    ("weight=[0.0, 2.0, 0.5]", "ignore_index=2", "label_smoothing=0.1"),
]


def reported(loop, losses):
    """The mean of recorded losses, as an event shows it."""
    loop.losses._waiting = losses
    total, weight, _, _ = loop.losses.fetch()
    return total / weight


@pytest.mark.parametrize("settings", SETTINGS, ids=" ".join)
@pytest.mark.parametrize("mixing", [(0.4, 0.0), (0.0, 0.0)], ids=["mixup", "plain"])
def test_the_parts_of_a_batch_have_its_gradient_and_its_loss(settings, mixing):
    loop = loop_of("CrossEntropyLoss", settings)
    loop.regularizer.l1, loop.regularizer.l2 = 1e-3, 1e-2
    random = torch.Generator().manual_seed(7)
    mix = Mixing(Regularization(mixup=mixing[0]), numbers=False)
    for size in (1, 2, 9, 16):
        x = torch.randn(size, 13, dtype=torch.float64, generator=random)
        batch = Batch((x,), torch.randint(3, (size,), generator=random), size)
        batch = mix(batch) if any(mixing) else batch
        if not float(batch.weight(loop.denominator)):
            continue
        whole = in_parts(loop, [batch], 1)
        expected = reported(loop, loop.losses._waiting[-1:])
        for parts in (2, 3, size):
            torch.testing.assert_close(in_parts(loop, [batch], parts), whole, rtol=1e-12, atol=1e-15)
            assert reported(loop, loop.losses._waiting) == pytest.approx(expected, rel=1e-12)


def test_the_parts_of_a_cutmix_batch_have_its_gradient():
    plan = check(
        reads(
            """
[data]
source = "digits"
[model]
layers = ["Flatten", {type = "Linear", out_features = "auto"}]
[loss]
type = "CrossEntropyLoss"
weight = [1.0, 2.0, 0.5, 1.0, 3.0, 0.0, 1.0, 1.0, 0.25, 1.0]
ignore_index = 4
[regularization]
cutmix = 1.0
mixup = 0.3
[training]
threads = 1
accumulation_steps = 3
"""
        )
    )
    loop = assemble(plan, load_data(plan.experiment.data, 0), None)
    for window in list(loop.epoch_batches(1))[:4]:
        single = in_parts(loop, window, 1)
        torch.testing.assert_close(in_parts(loop, window, 5), single, rtol=1e-4, atol=1e-7)
        loop.network.double()
        loop.criterion.double()
        exact = [dataclasses.replace(batch, inputs=tuple(x.double() for x in batch.inputs)) for batch in window]
        double = in_parts(loop, exact, 1)
        torch.testing.assert_close(in_parts(loop, exact, 5), double, rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-7)
        loop.network.float()
        loop.criterion.float()


def test_the_weight_of_a_blended_batch_is_that_of_both_its_targets():
    loop = loop_of("CrossEntropyLoss", ("weight=[1.0, 0.25, 4.0]",))
    x = torch.randn(3, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    batch = MixedBatch((x,), torch.tensor([0, 1, 2]), 3, partner=torch.tensor([2, 0, 1]), share=0.7)
    first, second = split([batch], 2)
    assert float(first.weight(loop.denominator)) == pytest.approx(0.7 * 1.25 + 0.3 * 5.0)
    assert float(second.weight(loop.denominator)) == pytest.approx(0.7 * 4.0 + 0.3 * 0.25)
