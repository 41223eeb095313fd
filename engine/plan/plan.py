"""A plan: what a run would be, and every mistake of the document that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.data.description import Description
from engine.devices import Precision
from engine.experiment.document import Experiment
from engine.experiment.mistakes import Mistake
from engine.plan.groups import GroupPlan
from engine.plan.planned_rates import PlannedRates

VALIDATION_BATCHES = 4
"""A validation batch is this many times as large as a training batch, since no gradients are stored for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer of the plan."""

    path: str
    number: str
    """Its place in few letters: `4`; of a layer in it `4.0`."""
    depth: int
    """How many layers hold it."""
    type: str
    label: str
    """The layer in a few words: `Conv2d 16, 3×3 same`."""
    output_shape: tuple[int, ...] | None
    """Of one sample; None where a mistake leaves it open."""
    parameters: int
    frozen: int = 0
    """Those of the parameters that are not trained."""
    flops: int
    """Of the forward pass of one sample, two for each multiply-and-add."""
    activation_bytes: int
    """What the backward pass of one sample needs kept, in float32."""
    notes: tuple[str, ...] = ()
    """Sentences on what it does to its input or its weights without being asked."""
    published: str = ""
    """A sentence on whether its published weights are here; empty where it has none."""
    mistake: Mistake | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All that there is to say of it, before a run."""
        return (*self.notes, self.published) if self.published else self.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would be; where there are mistakes, as much of it as can be told."""

    experiment: Experiment
    """Complete: the loss resolved, every default filled in. A placeholder where the document could not be read."""
    description: Description | None = None
    layers: tuple[LayerPlan, ...] = ()
    groups: tuple[GroupPlan, ...] = ()
    """The parameter groups of the optimizer, where it has more than one."""
    parameters: int = 0
    frozen: int = 0
    """Those of the parameters that are not trained."""
    flops: int = 0
    """Of the forward pass of one sample."""
    memory_bytes: int = 0
    """Estimate for a training step: weights, gradients, the optimizer's state, the activations of a batch."""
    device: str = ""
    precision: Precision = "float32"
    threads: int = 1
    steps_per_epoch: int = 0
    """Steps of the optimizer."""
    steps: int = 0
    lr: Sequence[float] = ()
    """The learning rate of each step, of the layers that are in no parameter group of their own."""
    group_rates: tuple[Sequence[float], ...] = ()
    """The learning rate of each step, for each of `groups`."""
    downloads: tuple[str, ...] = ()
    """What is fetched before the first step, a sentence each."""
    mistakes: tuple[Mistake, ...] = ()

    @property
    def highest_lr(self) -> float:
        """The highest of the learning rates; 0 where there are none."""
        return self.lr.highest if isinstance(self.lr, PlannedRates) else max(self.lr, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether it can be run: there may be warnings, but no error."""
        return all(mistake.severity != "error" for mistake in self.mistakes)
