"""Pictures of the parts of an experiment: data, loss, learning rate, regularization, device.

Functions without widgets and without torch. Curves are drawn by plotext, which only the deck's thread may use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.devices import devices
from tui.pictures.frame import Look, look
from tui.pictures.losses import losses
from tui.pictures.regularization import regularization, training
from tui.pictures.samples import samples
from tui.pictures.schedule import schedule

if TYPE_CHECKING:
    from engine import DataPreview, DeviceInfo, Draft, LossCurve, Penalties, Plan, PrecisionChoice

__all__ = ["NOTHING_YET", "Findings", "Look", "look", "picture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the engine computes for pictures in addition to the plan, as far as it is known: `Producer.findings`."""

    preview: DataPreview | None = None
    loss_curve: LossCurve | None = None
    penalties: Penalties | None = None
    devices: tuple[DeviceInfo, ...] | None = None
    precisions: tuple[PrecisionChoice, ...] = ()


NOTHING_YET = Findings()


def picture(
    part: str,
    draft: Draft,
    plan: Plan | None,
    width: int,
    height: int,
    *,
    findings: Findings = NOTHING_YET,
    look: Look = Look(),  # noqa: B008  # it is frozen
) -> Content:
    """The picture of a part of the experiment, in at most `width` cells and `height` rows; empty for other parts.

    Args:
        part: a name of `tui.rows.design.PARTS`.
        plan: None while torch is loading.
        findings: the result of `Producer.findings(part, plan)`.
    """
    experiment = plan.experiment if plan is not None else draft.experiment
    match part:
        case "data":
            return samples(findings.preview, experiment, width, height, look)
        case "loss":
            return losses(findings.loss_curve, width, height, look)
        case "optimizer" | "scheduler":
            return schedule(plan, width, height, look)
        case "regularization":
            return regularization(plan, findings.penalties, width, height)
        case "training":
            return training(plan, width, height)
        case "device":
            return devices(findings.devices, findings.precisions, plan, width, height, look)
        case _:
            return Content("")
