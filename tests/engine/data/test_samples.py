"""Windows and ragged texts against tensors that hold every one of them whole."""

import pytest
import torch

from engine.data.samples import Ragged, Samples, Windows, take

VALUES = torch.arange(60.0).reshape(20, 3)
STARTS = torch.tensor([0, 4, 5, 16])
WHOLE = torch.stack([VALUES[s : s + 4] for s in STARTS.tolist()])
TEXTS = [[3, 4], [5], [], [6, 7, 8, 9]]
TOKENS = torch.tensor([token for text in TEXTS for token in text], dtype=torch.int16)
OFFSETS = torch.tensor([0, 2, 3, 3, 7])
PADDED = torch.tensor([[3, 4, 0, 0], [5, 0, 0, 0], [0, 0, 0, 0], [6, 7, 8, 9]], dtype=torch.int16)


@pytest.mark.parametrize(
    ("samples", "whole"),
    [
        (Windows(VALUES, STARTS, 4), WHOLE),
        (Windows(VALUES, STARTS, 4, flat=True), WHOLE.reshape(4, 12)),
        (Windows(VALUES[:, 0], STARTS, 4), WHOLE[:, :, 0]),
        (Ragged(TOKENS, OFFSETS, 4), PADDED),
    ],
)
def test_they_are_indexed_as_the_tensor_of_all_of_them_is(samples: Samples, whole: torch.Tensor) -> None:
    assert isinstance(samples, Samples)
    assert len(samples) == 4 and tuple(samples.shape) == tuple(whole.shape) and samples.dtype == whole.dtype
    some = torch.tensor([3, 0, 0, 2])
    assert torch.equal(take(samples, some), whole[some])
    for index in (2, slice(None), slice(1, 3), torch.tensor([True, False, True, True]), torch.tensor(1)):
        assert torch.equal(samples[index], whole[index])
    assert torch.equal(samples[:, -1], whole[:, -1]) and torch.equal(samples[1, 0], whole[1, 0])
    assert samples[torch.tensor([], dtype=torch.int64)].shape == (0, *whole.shape[1:])


def test_windows_take_the_memory_of_the_series_alone() -> None:
    windows = Windows(torch.zeros(10_000, 2), torch.arange(9_900), 100)
    assert windows.nbytes == 10_000 * 2 * 4 + 9_900 * 8


def test_a_ragged_batch_is_as_long_as_its_longest_text() -> None:
    ragged = Ragged(TOKENS, OFFSETS, 4)
    assert torch.equal(ragged.padded(torch.tensor([1, 0]), 2), PADDED[[1, 0], :2])
