"""The section [regularization] of a document: penalties, clipping, mixing of samples and averaged weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from engine.experiment.fields import Fraction, Part


class EMA(Part):
    """Exponential moving average of the weights, updated after every step: decay · average + (1 - decay) · weights."""

    type: Annotated[Literal["ema"], Field(description="Exponential moving average of the weights.")] = "ema"
    decay: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="Share of the average that remains after a step; it spans about 1/(1 - decay) steps.",
        ),
    ] = 0.999
    start_epoch: Annotated[int, Field(ge=1, description="First epoch included in the average.")] = 1


class SWA(Part):
    """Stochastic weight averaging: the mean of the weights at the ends of the last epochs."""

    type: Annotated[Literal["swa"], Field(description="Mean of the weights at the ends of the last epochs.")] = "swa"
    start: Annotated[Fraction, Field(description="Share of the run after which averaging starts.")] = 0.75


class Regularization(Part):
    """Penalties on weights, bounds on gradients, mixing of samples, and averaged weights.

    Decoupled weight decay is a parameter of the optimizer, label smoothing of the loss, and dropout is a layer.
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
            "It differs from weight_decay: AdamW decays the weights separately from the gradients.",
        ),
    ] = 0.0
    l1_layers: Annotated[
        tuple[str | Annotated[int, Field(ge=0)], ...] | None,
        Field(
            strict=False,
            min_length=1,
            description="Layers that l1 and l2 apply to, by index, range, path or type: "
            '[0, "2..4", "model.layers[6]", "Linear"]; all if left out.',
        ),
    ] = None
    clip_grad_norm: Annotated[
        float | None, Field(gt=0, description="All gradients are scaled down if their total norm exceeds this.")
    ] = None
    clip_grad_value: Annotated[
        float | None,
        Field(gt=0, description="Each gradient is clipped to between minus this and this, before clip_grad_norm."),
    ] = None
    mixup: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Alpha of mixup: two samples and their targets are blended with a share drawn from "
            "Beta(alpha, alpha); 0.2 is usual, 0 is off. Training metrics use the target of the larger share.",
        ),
    ] = 0.0
    cutmix: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Alpha of CutMix, for images: a rectangle comes from another sample, and targets are weighted "
            "by area; 1 is usual, 0 is off. With mixup, each batch gets one of the two.",
        ),
    ] = 0.0
    average: Annotated[
        EMA | SWA | None,
        Field(
            discriminator="type",
            description='Averaged weights, "ema" or "swa": validated and saved instead of the trained ones.',
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
