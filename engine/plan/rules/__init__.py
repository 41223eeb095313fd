"""The rules across fields of a document: one file a subject, one small function a rule.

A rule names the fields, says why, and gives the fix. Mistakes are printed in the order of these imports.
"""

from __future__ import annotations

# isort: off
from engine.plan.rules import (
    initializers,
    precision,
    monitors,
    data,
    layers,
    losses,
    no_effect,
    optimizers,
    schedulers,
    training,
    parameter_groups,
    regularization,
    resources,
)
# isort: on

__all__ = [
    "data",
    "initializers",
    "layers",
    "losses",
    "monitors",
    "no_effect",
    "optimizers",
    "parameter_groups",
    "precision",
    "regularization",
    "resources",
    "schedulers",
    "training",
]
