"""What l1 and l2 add to the loss before the first step: the numbers behind a factor that says little by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import torch

from engine.data.description import Description
from engine.experiment.document import Experiment
from engine.model.network import build
from engine.training.regularization import Regularizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """What is added to the loss for the weights that the network starts with."""

    weights: int
    """How many numbers the penalties count."""
    l1: float
    l2: float


def penalties_at_start(experiment: Experiment, description: Description) -> Penalties | None:
    """Build the network on the CPU with the experiment's seed, as a run does, and measure. None without a penalty.

    Torch's generator is left as it was.

    Raises:
        Refused: the layers do not fit each other or the data.
    """
    if not experiment.regularization.l1 and not experiment.regularization.l2:
        return None
    parts = {
        name: getattr(experiment, name).model_dump(mode="json") for name in ("data", "model", "loss", "regularization")
    }
    return _penalties(json.dumps(parts | {"seed": experiment.seed}), description)


@lru_cache(maxsize=4)
def _penalties(parts: str, description: Description) -> Penalties:
    """Remembered: what is changed elsewhere in a document changes nothing of it."""
    experiment = Experiment.model_validate(json.loads(parts))
    settings = experiment.regularization
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(experiment.seed)
        network = build(experiment, description)
        nothing = torch.zeros(())
        added = {
            name: float(Regularizer(settings.model_copy(update={other: 0.0}), network).objective(nothing))
            for name, other in (("l1", "l2"), ("l2", "l1"))
        }
        weights = sum(weight.numel() for weight in Regularizer(settings, network).weights)
    return Penalties(weights=weights, l1=added["l1"], l2=added["l2"])
