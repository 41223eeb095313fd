"""Penalties that keep weights small, and clipping of gradients. Decoupled weight decay is part of the optimizer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from engine.data.description import Description
from engine.experiment.document import Experiment, Regularization
from engine.model.network import build
from engine.model.selection import modules_named


class Regularizer:
    """Penalties on the weights (L1, L2; with both, the elastic net), and clipping of the gradients.

    The penalties apply to weight matrices and kernels, not to biases or the scales of norms: pushing those to zero does
    not make a network simpler. Where layers are named, every weight in them counts, also the scales of a norm.

    Source of the elastic net: Zou and Hastie, 2005, https://doi.org/10.1111/j.1467-9868.2005.00503.x
    """

    def __init__(self, settings: Regularization, network: nn.Module) -> None:
        self.l1 = settings.l1
        self.l2 = settings.l2
        self.max_norm = settings.clip_grad_norm
        self.max_value = settings.clip_grad_value
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.weights = _penalized(settings, network)

    def objective(self, loss: Tensor, share: float = 1.0) -> Tensor:
        """Return what is differentiated, (): the loss () plus `l1 · Σ|w| + l2 · Σw²`. The reported loss excludes them.

        Args:
            share: factor of the penalties; the shares of the parts of one step add up to 1.
        """
        if self.l1 and self.weights:
            loss = loss + share * self.l1 * torch.stack([w.abs().sum() for w in self.weights]).sum()
        if self.l2 and self.weights:
            loss = loss + share * self.l2 * torch.stack([w.square().sum() for w in self.weights]).sum()
        return loss

    def clip(self, *, measure: bool = False) -> Tensor | None:
        """Clip each gradient to ±`clip_grad_value`, then scale all together to a norm of at most `clip_grad_norm`.

        Returns the norm of all gradients before `clip_grad_norm` scaled them, (). Without that setting it is measured,
        before all clipping, only with `measure`; None otherwise.

        Source: Pascanu et al., 2013, https://arxiv.org/abs/1211.5063
        """
        norm = self.grad_norm() if measure and self.max_norm is None else None
        if self.max_value is not None:
            nn.utils.clip_grad_value_(self.parameters, self.max_value)
        return norm if self.max_norm is None else nn.utils.clip_grad_norm_(self.parameters, self.max_norm)

    def grad_norm(self) -> Tensor:
        """Return the norm of all gradients together, ()."""
        return nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])


def _penalized(settings: Regularization, network: nn.Module) -> list[nn.Parameter]:
    if settings.l1_layers is None:
        return [p for p in network.parameters() if p.requires_grad and p.ndim >= 2]
    named = {
        id(parameter): parameter
        for module in modules_named(network, settings.l1_layers)
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and "weight" in name.rpartition(".")[2]
    }
    return list(named.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """What the penalties add to the loss for the initial weights."""

    weights: int
    """Number of weights that the penalties count."""
    l1: float
    l2: float


def penalties_at_start(experiment: Experiment, description: Description) -> Penalties | None:
    """Measure the penalties on the network that a run would build. None if the document has no penalty.

    Builds it on the CPU with the experiment's seed. Leaves torch's generator as it was.

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
    """Cached: changes elsewhere in a document do not affect it."""
    experiment = Experiment.model_validate(json.loads(parts))
    settings = experiment.regularization
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(experiment.seed)
        network = build(experiment, description)
        zero = torch.zeros(())
        added = {
            name: float(Regularizer(settings.model_copy(update={other: 0.0}), network).objective(zero))
            for name, other in (("l1", "l2"), ("l2", "l1"))
        }
        weights = sum(weight.numel() for weight in Regularizer(settings, network).weights)
    return Penalties(weights=weights, l1=added["l1"], l2=added["l2"])
