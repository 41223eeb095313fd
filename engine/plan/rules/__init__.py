"""What a document's parts say against each other: small functions that name the fields, why, and the fix."""

from __future__ import annotations

from engine.plan.rules import counting, data, layers, losses, no_effect, optimizers, schedulers, training
from engine.plan.rules.subject import Subject, every_mistake

__all__ = [
    "Subject",
    "counting",
    "data",
    "every_mistake",
    "layers",
    "losses",
    "no_effect",
    "optimizers",
    "schedulers",
    "training",
]
