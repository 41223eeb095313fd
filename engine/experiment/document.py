"""The document that a run is made from. One declaration: the schema, the form, `--set` and the help come from here.

A part that is a choice has a `type` and that type's own parameters under torch's names; a bare string is a type with
its defaults. What the parameters of a type are is known to the catalog, not to this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Ge(0), Lt(1)]


Held = Fraction | Annotated[int, Ge(1)]
"""Samples that are held back: a share below 1, or from 1 on a number."""


@dataclass(frozen=True, slots=True)
class Names:
    """Of what kind of the catalog the names are that a field may take."""

    kind: str


class Part(BaseModel):
    """A part of the document: frozen; a key that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Choice(BaseModel):
    """One of the catalog's entries, with parameters of its own."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    type: Annotated[str, Field(description="Its name in the catalog, which is torch's name.")]

    @model_validator(mode="before")
    @classmethod
    def _bare_string_is_a_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @property
    def parameters(self) -> dict[str, Any]:
        """What was given beside the fields that are declared here."""
        return dict(self.__pydantic_extra__ or {})


class Data(BaseModel):
    """Where the samples come from. The source's own parameters stand beside these fields."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    source: Annotated[str, Field(description="Name of the data source."), Names("sources")]
    validation: Annotated[
        Held, Field(description="What is held back to validate on: a share below 1, or that many samples.")
    ] = 0.2
    test: Annotated[
        Held, Field(description="What is never looked at while training: a share below 1, or that many samples.")
    ] = 0.0
    fold: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9]\d{0,2}/[1-9]\d{0,2}$",
            description="2/5 validates on the second of five equal parts, each of which is validated on once; "
            "validation is not used then. In a series, each fold is trained on what lies before it.",
        ),
    ] = None
    stratify: Annotated[bool, Field(description="Each class has its share of every part.")] = True
    transforms: Annotated[
        tuple[Choice, ...],
        Field(strict=False, description="What is done to every sample, of all parts, once: resize, crop, pad."),
        Names("transforms"),
    ] = ()
    augment: Annotated[
        tuple[Choice, ...],
        Field(strict=False, description="What changes samples of the training part at random, each time anew."),
        Names("augmentations"),
    ] = ()
    sampler: Annotated[
        Literal["shuffled", "balanced"],
        Field(
            description="shuffled: every training sample once an epoch. balanced: as many draws, each from a class "
            "drawn first, so that rare classes are seen as often as others."
        ),
    ] = "shuffled"
    normalize: Annotated[
        bool,
        Field(
            description="Pixels of whole numbers are standardised for each channel, by mean and deviation of the "
            "training part; otherwise they are scaled to 0 to 1."
        ),
    ] = True
    batch_size: Annotated[int, Field(gt=0, description="Samples in one step of the optimizer.")] = 64
    memory_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the device's free memory that samples may take; with more, they come from a loader.",
        ),
    ] = 0.5
    workers: Annotated[
        Annotated[int, Field(ge=0, le=256)] | Literal["auto"],
        Field(description="Processes that read samples which do not fit on the device; 0 reads between the steps."),
    ] = "auto"

    @property
    def parameters(self) -> dict[str, Any]:
        """The source's own parameters."""
        return dict(self.__pydantic_extra__ or {})


class Layer(Choice):
    """One layer: a module of torch.nn under its own name and parameters. Sizes that can be inferred are left out."""

    init: Annotated[Choice | None, Field(description="Initializer of this layer's weights."), Names("initializers")] = (
        None
    )
    recurrent_init: Annotated[
        Choice | None,
        Field(description="Initializer of its weights from state to state, for each gate by itself."),
        Names("initializers"),
    ] = None
    bias_init: Annotated[
        Choice | None, Field(description="Initializer of this layer's biases."), Names("initializers")
    ] = None
    forget_bias: Annotated[
        float | None, Field(allow_inf_nan=False, description="What the bias of an LSTM's forget gate begins at.")
    ] = None
    layers: Annotated[
        tuple[Layer, ...] | None,
        Field(strict=False, description="The layers that a Residual, Repeat or Sequential holds."),
    ] = None
    shortcut: Annotated[
        tuple[Layer, ...] | None,
        Field(strict=False, description="What a Residual's input goes through before it is added."),
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
        Field(description="Initializers of the weights of all layers of a type, before init and after a layer's own."),
    ] = None
    recurrent_init: Annotated[
        Choice | None,
        Field(
            description="Initializer of the weights from state to state of recurrent layers, for each gate by itself; "
            "orthogonal_ is usual. Left out, they begin as init says."
        ),
        Names("initializers"),
    ] = None
    bias_init: Annotated[
        Choice | None,
        Field(description="Initializer of every bias; left out, zeros beside an init, else torch's own."),
        Names("initializers"),
    ] = None
    forget_bias: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="What the bias of each LSTM's forget gate begins at; 1 lets it begin by remembering.",
        ),
    ] = None
    layers: Annotated[
        tuple[Layer, ...],
        Field(strict=False, description="The layers, in the order of the forward pass."),
    ]


class ParameterGroup(BaseModel):
    """Layers whose weights have parameters of the optimizer's of their own."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    layers: Annotated[
        tuple[str | Annotated[int, Field(ge=0)], ...],
        Field(
            strict=False,
            min_length=1,
            description='By index, range, path or type: [0, "2..4", "model.layers[6]", "Conv2d"], both ends of a range '
            "included. In two groups, the first counts.",
        ),
    ]

    @property
    def parameters(self) -> dict[str, Any]:
        """What differs from the optimizer's own."""
        return dict(self.__pydantic_extra__ or {})


class Optimizer(Choice):
    """How gradients become steps."""

    no_bias_decay: Annotated[
        bool,
        Field(
            description="No weight_decay on biases and on the weights of norms, which it does not regularize "
            "(He et al., 2019)."
        ),
    ] = False
    groups: Annotated[
        tuple[ParameterGroup, ...],
        Field(
            strict=False,
            description="Layers with other parameters, a lower lr of a backbone say: "
            '{layers = ["0..3"], lr = 1e-4}. The scheduler moves every group from its own rate.',
        ),
    ] = ()
    others: Annotated[
        Choice | None,
        Field(
            description="Of Muon alone: the optimizer of all that is no hidden weight matrix, AdamW if left out. The "
            "lr of a group scales its own, and a group's weight_decay is its, too."
        ),
        Names("optimizers"),
    ] = None


class Scheduler(Choice):
    """How the learning rate changes over the run."""

    interval: Annotated[
        Literal["epoch", "step"] | None,
        Field(description="Whether the scheduler moves once an epoch or at every step; by default as its type suits."),
    ] = None
    warmup_epochs: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="The rate first rises in a straight line from 0 over this many epochs.",
        ),
    ] = 0.0


class EMA(Part):
    """Exponential moving average of the weights, moved after every step: decay · average + (1 - decay) · weights."""

    type: Annotated[Literal["ema"], Field(description="Exponential moving average of the weights.")] = "ema"
    decay: Annotated[
        float,
        Field(
            gt=0, lt=1, description="What the average keeps of itself at a step; it spans about 1/(1 - decay) steps."
        ),
    ] = 0.999
    start_epoch: Annotated[int, Field(ge=1, description="First epoch included in the average.")] = 1


class SWA(Part):
    """Stochastic weight averaging: the plain mean of the weights at the ends of the last epochs."""

    type: Annotated[Literal["swa"], Field(description="Mean of the weights at the ends of the last epochs.")] = "swa"
    start: Annotated[Fraction, Field(description="Share of the run that is over when the averaging begins.")] = 0.75


class Regularization(Part):
    """What keeps the weights small, the steps bounded and the network from being too sure.

    Decoupled weight decay is the optimizer's own parameter, label smoothing the loss's, and dropout is a layer.
    """

    l1: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="Factor of the L1 penalty: l1 · Σ|weight| is added to the loss."),
    ] = 0.0
    l2: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="Factor of the L2 penalty: l2 · Σ weight² is added to the loss. With l1 it is the elastic net. "
            "It is not the optimizer's weight_decay: AdamW's shrinks the weights apart from the gradients.",
        ),
    ] = 0.0
    l1_layers: Annotated[
        tuple[str | Annotated[int, Field(ge=0)], ...] | None,
        Field(
            strict=False,
            min_length=1,
            description="Layers whose weights l1 and l2 count, by index, range, path or type: "
            '[0, "2..4", "model.layers[6]", "Linear"]; all if left out.',
        ),
    ] = None
    clip_grad_norm: Annotated[
        float | None, Field(gt=0, description="Gradients are scaled down together when their norm exceeds this.")
    ] = None
    clip_grad_value: Annotated[
        float | None,
        Field(gt=0, description="Each gradient is cut to between minus this and this, before clip_grad_norm looks."),
    ] = None
    mixup: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Alpha of mixup: two samples and their targets are blended, by a share drawn from "
            "Beta(alpha, alpha); 0.2 is usual, 0 is off. Training metrics count the target of the larger share.",
        ),
    ] = 0.0
    cutmix: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Alpha of CutMix, for images: a rectangle comes from another sample, and the targets count by "
            "area; 1 is usual, 0 is off. With mixup too, each batch gets one of them.",
        ),
    ] = 0.0
    average: Annotated[
        EMA | SWA | None,
        Field(
            discriminator="type",
            description='Averaged weights, "ema" or "swa": validated, saved and kept instead of the trained ones.',
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _bare_average_is_a_type(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "average" not in value:
            return value
        average = value["average"]
        if average is False or average == "none":
            return {**value, "average": None}
        return {**value, "average": {"type": average}} if isinstance(average, str) else value


class EarlyStopping(Part):
    """End the run when it no longer gets better."""

    monitor: Annotated[str, Field(description="The metric that decides: val_loss, val_accuracy, train_loss, …")] = (
        "val_loss"
    )
    mode: Annotated[
        Literal["auto", "min", "max"],
        Field(description="Whether less or more is better; auto knows losses and errors from scores."),
    ] = "auto"
    patience: Annotated[int, Field(ge=1, description="Stop after this many epochs without a new best.")] = 5
    min_delta: Annotated[float, Field(ge=0, description="A new best must be better than the last one by this.")] = 0.0
    threshold: Annotated[
        float | None,
        Field(allow_inf_nan=False, description="Stop as soon as the metric is this good, whatever patience says."),
    ] = None
    restore_best: Annotated[bool, Field(description="End with the weights of the best epoch, not of the last.")] = True


class Training(Part):
    """Epochs, device, precision, checkpoints and when to stop."""

    epochs: Annotated[int, Field(gt=0, description="Times that every training sample is seen.")] = 10
    device: Annotated[
        str, Field(description="auto, cpu, cuda, cuda:1 or mps.", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    ] = "auto"
    amp: Annotated[
        Literal["auto", "off", "bfloat16", "float16"],
        Field(description="Automatic mixed precision: the type that autocast computes in."),
    ] = "auto"
    threads: Annotated[
        Annotated[int, Field(gt=0, le=1024)] | Literal["auto"],
        Field(description="CPU threads inside an operation; auto goes by the work in a step."),
    ] = "auto"
    accumulation_steps: Annotated[
        int, Field(gt=0, lt=2**31, description="Batches whose gradients are added up before the optimizer steps.")
    ] = 1
    checkpoint_every_s: Annotated[
        float, Field(gt=0, description="Seconds between checkpoints at epoch ends; the end of a run always saves one.")
    ] = 10.0
    checkpoint_within_epoch_s: Annotated[
        float,
        Field(gt=0, description="Seconds without a checkpoint after which one is saved in the middle of an epoch."),
    ] = 300.0
    on_not_finite: Annotated[
        Literal["stop", "rewind"],
        Field(
            description="When a loss or a gradient is not finite: end the run, or go back to the last good checkpoint "
            "with half the learning rate. The bad step is taken back either way."
        ),
    ] = "stop"
    max_rewinds: Annotated[
        int, Field(gt=0, le=100, description="Times that a run goes back before it ends; with on_not_finite rewind.")
    ] = 3
    on_out_of_memory: Annotated[
        Literal["stop", "accumulate"],
        Field(
            description="When a step does not fit into memory: end the run, saying which batch would fit, or take each "
            "batch in parts whose gradients add up to the same step."
        ),
    ] = "stop"
    early_stopping: Annotated[EarlyStopping | None, Field(description="Left out: the run goes to its last epoch.")] = (
        None
    )

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
    """Everything that a run is made from."""

    name: Name = "experiment"
    seed: Annotated[int, Field(ge=0, lt=2**63, description="Weights, splits, order and dropout follow from it.")] = 0
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
