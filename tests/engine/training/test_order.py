import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.training.order import by_like_length, drawn_by_class

lengths_of = st.lists(st.integers(1, 40), min_size=1, max_size=400).map(torch.tensor)


@given(lengths_of, st.integers(1, 32), st.integers(0, 2**40), st.integers(1, 50))
def test_every_sample_occurs_once_an_epoch_for_any_lengths(lengths, batch_size, seed, epoch):
    order = by_like_length(lengths, batch_size, seed, epoch)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert torch.equal(order, by_like_length(lengths, batch_size, seed, epoch))


def test_batches_of_similar_length_have_little_padding_and_a_random_order():
    lengths = torch.randint(1, 200, (5000,), generator=torch.Generator().manual_seed(0))

    def padding(order):
        return sum(int(part.max()) * len(part) - int(part.sum()) for part in lengths[order].split(32))

    bucketed, first, second = (by_like_length(lengths, 32, 0, epoch) for epoch in (1, 1, 2))
    assert padding(bucketed) < 0.1 * padding(torch.randperm(5000, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(bucketed, first) and not torch.equal(first, second)
    means = torch.stack([part.double().mean() for part in lengths[bucketed].split(32)])
    assert torch.corrcoef(torch.stack([means, torch.arange(len(means)).double()]))[0, 1].abs() < 0.3


def test_balanced_draws_are_as_many_as_samples_and_equal_for_all_classes():
    labels = torch.tensor([0] * 9000 + [2] * 900 + [3] * 100)
    order = drawn_by_class(labels, 0, 1)
    assert len(order) == 10_000
    counts = labels[order].bincount(minlength=4)
    assert counts[1] == 0 and (counts[[0, 2, 3]] - 10_000 / 3).abs().max() < 200  # four standard errors
    of_the_rare = order[labels[order] == 3].bincount()[9900:]
    assert (of_the_rare > 0).all() and of_the_rare.max() < 80
    assert torch.equal(order, drawn_by_class(labels, 0, 1)) and not torch.equal(order, drawn_by_class(labels, 0, 2))
