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
    """Short path: `4`; of a layer inside it `4.0`."""
    depth: int
    """Number of layers around it."""
    type: str
    label: str
    """Short description: `Conv2d 16, 3×3 same`."""
    output_shape: tuple[int, ...] | None
    """Without the batch dimension; None where a mistake leaves it open."""
    parameters: int
    frozen: int = 0
    """Number of parameters that are not trained."""
    flops: int
    """Of the forward pass of one sample, two for each multiply-and-add."""
    activation_bytes: int
    """Memory that the backward pass needs for one sample, in float32."""
    notes: tuple[str, ...] = ()
    """Sentences on changes of its input or weights that the document does not mention."""
    published: str = ""
    """A sentence on whether its published weights are on disk; empty if it has none."""
    mistake: Mistake | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences on the layer."""
        return (*self.notes, self.published) if self.published else self.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would be; with mistakes, as much of it as is known."""

    experiment: Experiment
    """Complete: the loss resolved, every default filled in. A placeholder if the document could not be read."""
    description: Description | None = None
    layers: tuple[LayerPlan, ...] = ()
    groups: tuple[GroupPlan, ...] = ()
    """The parameter groups of the optimizer; empty if it has one."""
    parameters: int = 0
    frozen: int = 0
    """Number of parameters that are not trained."""
    flops: int = 0
    """Of the forward pass of one sample."""
    memory_bytes: int = 0
    """Estimate for a training step: weights, gradients, state of the optimizer, activations of a batch."""
    device: str = ""
    precision: Precision = "float32"
    threads: int = 1
    steps_per_epoch: int = 0
    """Steps of the optimizer."""
    steps: int = 0
    lr: Sequence[float] = ()
    """The learning rate of each step, for layers that are not in `optimizer.groups`."""
    group_rates: tuple[Sequence[float], ...] = ()
    """The learning rate of each step, for each of `groups`."""
    downloads: tuple[str, ...] = ()
    """A sentence for each file that is downloaded before the first step."""
    mistakes: tuple[Mistake, ...] = ()

    @property
    def highest_lr(self) -> float:
        """The highest learning rate; 0 if there is none."""
        return self.lr.highest if isinstance(self.lr, PlannedRates) else max(self.lr, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether it can be run: it has no error; warnings are allowed."""
        return all(mistake.severity != "error" for mistake in self.mistakes)
