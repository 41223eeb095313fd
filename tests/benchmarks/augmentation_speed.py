"""The cost of augmenting a batch, by batch and image by image.

    python tests/benchmarks/augmentation_speed.py [--rounds 7] [--batch 64] [--side 32]

Each augmentation that torchdeck applies to whole batches, against torchvision's of the same name and parameters applied
to one image after the other; on the same uint8 batch, with one thread, in alternation. It prints medians in
milliseconds a batch and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms import v2

from engine.data import augmentation as ours


def timed(function: Callable[[Tensor], Tensor], batch: Tensor) -> float:
    """Return the milliseconds of a call, over as many calls as take a twentieth of a second."""
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < 0.05:
        function(batch)
        calls += 1
    return (time.perf_counter() - began) / calls * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    side = options.side
    batch = torch.randint(0, 256, (options.batch, 3, side, side), dtype=torch.uint8)
    pairs: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
        "RandomHorizontalFlip": (ours.RandomHorizontalFlip(), v2.RandomHorizontalFlip()),
        "RandomCrop": (ours.RandomCrop([side, side], 4), v2.RandomCrop(side, 4)),
        "RandomRotation": (ours.RandomRotation(15.0), v2.RandomRotation(15)),
        "ColorJitter": (ours.ColorJitter(0.3, 0.3, 0.3), v2.ColorJitter(0.3, 0.3, 0.3)),
        "RandomErasing": (ours.RandomErasing(), v2.RandomErasing()),
    }
    for name, (by_batch, one) in pairs.items():
        rows = [(timed(by_batch, batch), timed(ours.ForEachImage(one), batch)) for _ in range(options.rounds)]
        mine, theirs = (statistics.median(column) for column in zip(*rows, strict=True))
        ratio = statistics.median(theirs / mine for mine, theirs in rows)
        print(f"{name:22} by the batch {mine:7.3f} ms   image by image {theirs:7.3f} ms   ratio {ratio:5.1f}")


if __name__ == "__main__":
    main()
