"""What the stages of a check know of a document: each returns a copy with what it found out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch.optim import Optimizer

from engine.catalog.choices import Checked
from engine.catalog.entry import Task
from engine.catalog.layers.signal import Signal
from engine.data.description import Description
from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.devices import Precision
from engine.experiment.document import Data, Experiment, Layer, Model
from engine.experiment.draft import Draft
from engine.experiment.mistakes import Mistake
from engine.experiment.tree import Place
from engine.model.published_weights import WeightsFile
from engine.model.trace import Traced
from engine.plan.groups import GroupPlan

PLACEHOLDER = Experiment(data=Data(source=""), model=Model(layers=(Layer(type="Identity"),)))
"""Stands for the experiment of a document that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A document and what is known of it without training.

    Fields of a stage that has not run, or that a mistake leaves open, have their defaults.
    """

    draft: Draft
    experiment: Experiment
    """The document with what the stages resolved: the task of the data, the loss, class weights as a list."""
    recorded: RecordedData = NOTHING_RECORDED
    """The orders of classes and categories that a resumed run began with."""
    mistakes: tuple[Mistake, ...] = ()
    """Those that the stages found, without those of the draft."""

    # data
    description: Description | None = None
    task: Task | None = None
    classes: int | None = None
    """Number of classes."""

    # model
    places: tuple[Place, ...] = ()
    """Every layer of the document, inner ones included, with its path."""
    by_path: Mapping[str, Layer] = field(default_factory=dict)
    outermost: tuple[Traced, ...] = ()
    """The layers of the model; those inside them are in `Traced.inside`."""
    layers: tuple[Traced, ...] = ()
    """Every layer that was traced, inner ones included, in the order of the document."""
    signals: Mapping[str, Signal | None] = field(default_factory=dict)
    """Output of each layer by its path; None where a mistake leaves it open."""
    needs_two: frozenset[str] = frozenset()
    """Paths of layers with norms inside that cannot be trained on a batch of one sample."""

    # choices
    optimizer: Optimizer | None = None
    """The optimizer over a scratch parameter; None where it cannot be built."""
    optimizer_mistakes: tuple[Mistake, ...] = ()
    """Why it cannot be built."""
    scheduler: Checked = field(default_factory=Checked)
    """The parameters of the scheduler, checked one by one."""

    # schedule
    groups: tuple[GroupPlan, ...] | None = None
    """The parameter groups of the optimizer; None where a mistake leaves them open."""
    lr: Sequence[float] = ()
    """The learning rate of each step of the first group."""
    group_rates: tuple[Sequence[float], ...] = ()

    # resources
    device: str = "cpu"
    precision: Precision = "float32"
    weights_bytes: int = 0
    """Weights, gradients and the optimizer's state."""
    memory_bytes: int = 0
    """`weights_bytes` and the activations of a batch."""
    threads: int = 1
    files: tuple[WeightsFile, ...] = ()
    """The published weights that backbones start from."""

    def with_mistakes(self, more: Iterable[Mistake]) -> CheckContext:
        """A copy with more mistakes."""
        found = tuple(more)
        return replace(self, mistakes=(*self.mistakes, *found)) if found else self

    def has_error(self, *paths: str) -> bool:
        """Whether a stage found an error whose path starts with one of `paths`."""
        return any(m.severity == "error" and m.path.startswith(paths) for m in self.mistakes)

    @property
    def epochs(self) -> int:
        """Length of the run."""
        return self.experiment.training.epochs

    @property
    def batches_per_epoch(self) -> int:
        """0 where the data is not known."""
        return -(-self.description.train_samples // self.experiment.data.batch_size) if self.description else 0

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer; 0 where the data is not known."""
        return -(-self.batches_per_epoch // self.experiment.training.accumulation_steps)

    @property
    def validates(self) -> bool:
        """Whether samples are held out for validation; assumed where the data is not known."""
        return self.description is None or self.description.val_samples > 0

    @property
    def parameters(self) -> int:
        """Parameters of the model."""
        return sum(layer.parameters for layer in self.outermost)

    @property
    def frozen(self) -> int:
        """Parameters that are not trained."""
        return sum(layer.frozen for layer in self.outermost)

    @property
    def flops(self) -> int:
        """Of the forward pass of one sample."""
        return sum(layer.flops for layer in self.outermost)

    @property
    def trained(self) -> int | None:
        """Parameters that are trained; None where a mistake leaves that open."""
        known = bool(self.layers) and all(layer.signal is not None for layer in self.layers)
        return self.parameters - self.frozen if known else None

    @property
    def trained_by_layer(self) -> Mapping[str, int]:
        """Parameters that each layer trains, by its path; without layers that a mistake leaves open."""
        return {t.path: t.parameters - t.frozen for t in self.layers if t.signal is not None}
