"""The document that a run is built from. The schema, the form, `--set` and the help come from this declaration.

A choice has a `type` and the parameters of that type under torch's names; a bare string is a type with its defaults.
The catalog knows the parameters of each type.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.experiment.fields import Choice, HoldoutSize, Names, Part
from engine.experiment.regularization import EMA, SWA, Regularization

__all__ = [
    "EMA",
    "SWA",
    "Choice",
    "Data",
    "EarlyStopping",
    "Experiment",
    "Layer",
    "Model",
    "Names",
    "Optimizer",
    "ParameterGroup",
    "Regularization",
    "Scheduler",
    "Training",
]


class Data(BaseModel):
    """The source of the samples with its parameters, how they are split, and how batches are made."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    source: Annotated[str, Field(description="Name of the data source."), Names("sources")]
    validation: Annotated[
        HoldoutSize, Field(description="Size of the validation part: a share below 1, or a number of samples.")
    ] = 0.2
    test: Annotated[
        HoldoutSize,
        Field(description="Size of the test part (unused in training): a share below 1, or a number."),
    ] = 0.0
    fold: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9]\d{0,2}/[1-9]\d{0,2}$",
            description="2/5 validates on the second of five equal parts; validation is unused. Each sample is in one "
            "of them. In a series, each fold trains on what is before it.",
        ),
    ] = None
    stratify: Annotated[bool, Field(description="Each class has its share of every part.")] = True
    transforms: Annotated[
        tuple[Choice, ...],
        Field(strict=False, description="Transforms of every sample of all parts, applied once: resize, crop, pad."),
        Names("transforms"),
    ] = ()
    augment: Annotated[
        tuple[Choice, ...],
        Field(strict=False, description="Random changes of training samples, drawn again in every epoch."),
        Names("augmentations"),
    ] = ()
    sampler: Annotated[
        Literal["shuffled", "balanced"],
        Field(
            description="shuffled: every training sample once an epoch. balanced: as many draws, each from a random "
            "class, so that rare classes are used as often as others."
        ),
    ] = "shuffled"
    normalize: Annotated[
        bool,
        Field(
            description="Standardise byte pixels for each channel, by mean and deviation of the training part; "
            "otherwise they are scaled to 0 to 1."
        ),
    ] = True
    batch_size: Annotated[int, Field(gt=0, description="Samples in one step of the optimizer.")] = 64
    memory_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the device's free memory that samples may use; larger datasets are read by a loader.",
        ),
    ] = 0.5
    workers: Annotated[
        Annotated[int, Field(ge=0, le=256)] | Literal["auto"],
        Field(
            description="Processes that read samples which do not fit on the device; 0 reads in the training process."
        ),
    ] = "auto"

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the source."""
        return dict(self.__pydantic_extra__ or {})


class Layer(Choice):
    """One layer: a module of torch.nn with its name and parameters. Sizes that can be inferred are optional."""

    init: Annotated[Choice | None, Field(description="Initializer of this layer's weights."), Names("initializers")] = (
        None
    )
    recurrent_init: Annotated[
        Choice | None,
        Field(description="Initializer of its recurrent weights, applied to each gate separately."),
        Names("initializers"),
    ] = None
    bias_init: Annotated[
        Choice | None, Field(description="Initializer of this layer's biases."), Names("initializers")
    ] = None
    forget_bias: Annotated[
        float | None, Field(allow_inf_nan=False, description="Initial bias of the forget gate of an LSTM.")
    ] = None
    layers: Annotated[
        tuple[Layer, ...] | None,
        Field(strict=False, description="The layers inside a Residual, Repeat or Sequential."),
    ] = None
    shortcut: Annotated[
        tuple[Layer, ...] | None,
        Field(
            strict=False, description="Layers of the shortcut of a Residual, applied to its input before the addition."
        ),
    ] = None
    branches: Annotated[
        tuple[Annotated[tuple[Layer, ...], Field(strict=False)], ...] | None,
        Field(strict=False, description="The branches of a Concat, each a list of layers."),
    ] = None


class Model(Part):
    """The network, from its input to its output."""

    init: Annotated[
        Choice | None,
        Field(description="Initializer of every layer's weights; torch's own if left out."),
        Names("initializers"),
    ] = None
    init_by_type: Annotated[
        dict[str, Choice] | None,
        Field(description="Initializers by layer type. They override init; a layer's own init overrides them."),
    ] = None
    recurrent_init: Annotated[
        Choice | None,
        Field(
            description="Initializer of the recurrent weights, applied to each gate separately; orthogonal_ is usual. "
            "Left out, init applies."
        ),
        Names("initializers"),
    ] = None
    bias_init: Annotated[
        Choice | None,
        Field(description="Initializer of every bias; left out, zeros if init is set, else torch's own."),
        Names("initializers"),
    ] = None
    forget_bias: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="Initial bias of the forget gate of each LSTM; 1 makes it remember at first.",
        ),
    ] = None
    layers: Annotated[
        tuple[Layer, ...],
        Field(strict=False, description="The layers, in the order of the forward pass."),
    ]


class ParameterGroup(BaseModel):
    """Layers whose weights have their own parameters of the optimizer."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    layers: Annotated[
        tuple[str | Annotated[int, Field(ge=0)], ...],
        Field(
            strict=False,
            min_length=1,
            description='By index, range, path or type: [0, "2..4", "model.layers[6]", "Conv2d"], both ends of a range '
            "included. The first group that names a layer applies.",
        ),
    ]

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that differ from those of the optimizer."""
        return dict(self.__pydantic_extra__ or {})


class Optimizer(Choice):
    """How gradients become steps."""

    no_bias_decay: Annotated[
        bool,
        Field(
            description="No weight_decay for biases and weights of normalization layers, where it does not regularize "
            "(He et al., 2019)."
        ),
    ] = False
    groups: Annotated[
        tuple[ParameterGroup, ...],
        Field(
            strict=False,
            description="Layers with other parameters, such as a lower lr of a backbone: "
            '{layers = ["0..3"], lr = 1e-4}. The scheduler scales the lr of every group.',
        ),
    ] = ()
    others: Annotated[
        Choice | None,
        Field(
            description="Only for Muon: the optimizer of everything but hidden weight matrices, AdamW if left out. "
            "The lr of a group scales its lr, and the weight_decay of a group applies to it too."
        ),
        Names("optimizers"),
    ] = None


class Scheduler(Choice):
    """How the learning rate changes over the run."""

    interval: Annotated[
        Literal["epoch", "step"] | None,
        Field(description="Whether the scheduler steps once an epoch or after every step; left out, its type decides."),
    ] = None
    warmup_epochs: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="The learning rate first increases linearly from 0 over this many epochs.",
        ),
    ] = 0.0


class EarlyStopping(Part):
    """Stop the run when its metric no longer improves."""

    monitor: Annotated[str, Field(description="The metric to monitor: val_loss, val_accuracy, train_loss, …")] = (
        "val_loss"
    )
    mode: Annotated[
        Literal["auto", "min", "max"],
        Field(description="Whether lower or higher is better; auto: lower for losses and errors, higher for scores."),
    ] = "auto"
    patience: Annotated[int, Field(ge=1, description="Stop after this many epochs without a new best.")] = 5
    min_delta: Annotated[float, Field(ge=0, description="Minimum improvement that counts as a new best.")] = 0.0
    threshold: Annotated[
        float | None,
        Field(
            allow_inf_nan=False, description="Stop as soon as the metric reaches this value, independently of patience."
        ),
    ] = None
    restore_best: Annotated[
        bool, Field(description="Finish with the weights of the best epoch instead of the last.")
    ] = True


class Training(Part):
    """Epochs, device, precision, checkpoints and when to stop."""

    epochs: Annotated[int, Field(gt=0, description="Number of passes over the training samples.")] = 10
    device: Annotated[
        str, Field(description="auto, cpu, cuda, cuda:1 or mps.", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    ] = "auto"
    amp: Annotated[
        Literal["auto", "off", "bfloat16", "float16"],
        Field(description="Automatic mixed precision: the dtype that autocast computes in."),
    ] = "auto"
    threads: Annotated[
        Annotated[int, Field(gt=0, le=1024)] | Literal["auto"],
        Field(description="CPU threads of an operation; auto depends on the work in a step."),
    ] = "auto"
    accumulation_steps: Annotated[
        int, Field(gt=0, lt=2**31, description="Batches whose gradients are added up before the optimizer steps.")
    ] = 1
    checkpoint_every_s: Annotated[
        float,
        Field(
            gt=0, description="Minimum seconds between checkpoints at epoch ends; the end of a run always saves one."
        ),
    ] = 10.0
    checkpoint_within_epoch_s: Annotated[
        float,
        Field(gt=0, description="Seconds without a checkpoint after which one is saved within an epoch."),
    ] = 300.0
    on_not_finite: Annotated[
        Literal["stop", "rewind"],
        Field(
            description="When a loss or a gradient is not finite: stop the run, or return to the last good checkpoint "
            "with half the learning rate. Either way the bad step is undone."
        ),
    ] = "stop"
    max_rewinds: Annotated[
        int, Field(gt=0, le=100, description="Maximum number of returns to a checkpoint, for on_not_finite = rewind.")
    ] = 3
    on_out_of_memory: Annotated[
        Literal["stop", "accumulate"],
        Field(
            description="When a step does not fit in memory: stop and report which batch size fits; or split each "
            "batch and accumulate its gradients."
        ),
    ] = "stop"
    early_stopping: Annotated[EarlyStopping | None, Field(description="Left out, the run trains all epochs.")] = None

    @model_validator(mode="before")
    @classmethod
    def _false_is_none(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("early_stopping") is False:
            return {**value, "early_stopping": None}
        return value


Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Letters, digits, '.', '-' and '_'; names the run."
    ),
]


class Experiment(Part):
    """Everything that a run is built from."""

    name: Name = "experiment"
    seed: Annotated[
        int, Field(ge=0, lt=2**63, description="Seed of weights, splits, order of samples and dropout.")
    ] = 0
    data: Data
    model: Model
    loss: Annotated[Choice, Names("losses")] = Choice(type="auto")
    optimizer: Annotated[Optimizer, Names("optimizers")] = Optimizer(type="AdamW")
    scheduler: Annotated[Scheduler | None, Names("schedulers")] = None
    regularization: Regularization = Regularization()
    training: Training = Training()

    @model_validator(mode="before")
    @classmethod
    def _parameters_alone_are_of_the_default_type(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        alone = [k for k in ("loss", "optimizer") if isinstance(value.get(k), dict) and "type" not in value[k]]
        return value | {k: {"type": cls.model_fields[k].default.type, **value[k]} for k in alone}
