"""Which samples of a validation batch have a loss that is not finite, and what is unusual about their inputs.

N batch, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.data.description import Description
from engine.training.batches import Batch

_NAMED = 3
"""So many samples are named one by one."""


@dataclass(frozen=True, slots=True)
class SamplesNotFinite:
    """The samples, and a sentence about them."""

    samples: str
    """`validation samples 5, 7`; samples count from 1, in the order of the validation part."""
    sentence: str


def samples_not_finite(
    criterion: nn.Module, batch: Batch, output: Tensor, begin: int, description: Description
) -> SamplesNotFinite:
    """Look at each sample of a batch by itself. Waits for the device.

    Args:
        output: the network's output for the batch.
        begin: samples of the validation part before this batch.
    """
    finite = output.isfinite().flatten(1).all(1)
    what = "the network's output is not finite"
    if bool(finite.all()):
        losses = [criterion(output[i : i + 1], batch.target[i : i + 1]) for i in range(batch.size)]
        finite = torch.stack(losses).isfinite()
        what = "the network's output is finite, its loss is not"
    bad = (~finite).nonzero().flatten().tolist()
    if not bad:  # each by itself is finite, their sum is not
        samples = f"validation samples {begin + 1} to {begin + batch.size}"
        return SamplesNotFinite(
            samples, f"val_loss is not finite: the losses of {samples} add up to more than a float."
        )
    named = ", ".join(str(begin + i + 1) for i in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    samples = f"validation sample{'s' * (len(bad) > 1)} {named}{more}"
    sentence = f"val_loss is not finite: for {samples} {what}.{_inputs_text(batch.inputs[0][bad[0]], description)}"
    return SamplesNotFinite(samples, sentence)


def _inputs_text(x: Tensor, description: Description) -> str:
    """The largest number of a sample's input, with the name of its feature where it has one."""
    if not x.is_floating_point():
        return ""
    flat = x.flatten()
    if not bool(flat.isfinite().all()):
        return " Its input is not finite."
    at = int(flat.abs().argmax())
    names = description.features
    name = f" in {names[at % len(names)]}" if names and flat.numel() % len(names) == 0 else ""
    return f" Its input, as the network gets it, reaches {float(flat[at]):.3g}{name}."
