"""Builds the training loop of a plan: network, loss, optimizer and schedule on their device, and its batches."""

from __future__ import annotations

import torch
from torch import nn

from engine.catalog.bind import PerStep, build_loss
from engine.catalog.losses import NUMBERS, OF_CLASSES
from engine.catalog.optimizers import NEEDS_CLOSURE
from engine.data import Dataset
from engine.data.data_warnings import class_counts
from engine.experiment.document import Choice, Experiment, Regularization
from engine.model import build
from engine.model.published_weights import load_published
from engine.plan import Plan
from engine.plan.plan import VALIDATION_BATCHES
from engine.training.averaging import average_of
from engine.training.batches import Batches
from engine.training.loop import Loop
from engine.training.metrics import Metrics, metrics_for
from engine.training.mixing import Mixing
from engine.training.nonfinite import guard_of
from engine.training.optimizer import optimizer_of
from engine.training.precision import MixedPrecision
from engine.training.regularization import Regularizer
from engine.training.reporting import LoopHost
from engine.training.runtime_config import RuntimeConfig
from engine.training.schedule import LearningRate
from engine.training.stopping import Stopping


def assemble(plan: Plan, dataset: Dataset, host: LoopHost, *, runtime: RuntimeConfig | None = None) -> Loop:
    """Build everything that the loop works with.

    The seed is set first and the network is built on the CPU. So its weights are those of the same layers made by hand
    after `torch.manual_seed(seed)`, on any device. Then the published weights of backbones are loaded; a resumed run
    has them in its checkpoint.

    Args:
        runtime: the configuration that a resumed run used so far.
    """
    experiment, device = plan.experiment, plan.device
    torch.set_num_threads(plan.threads)
    torch.manual_seed(experiment.seed)
    network: nn.Module = build(experiment, dataset.description)
    if runtime is None:
        load_published(network)
    channels_last = wants_channels_last(plan, network)
    if runtime is not None and runtime.device == plan.device:
        channels_last = runtime.memory_format == "channels_last"
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    network = network.to(device)
    optimizer = optimizer_of(experiment.optimizer, network, fused=device != "mps")
    precision = MixedPrecision(plan.precision, device, optimizer)
    training, regularization = experiment.training, experiment.regularization
    rate = LearningRate(optimizer, experiment.scheduler, epochs=training.epochs, steps_per_epoch=plan.steps_per_epoch)
    return Loop(
        network=network,
        criterion=_criterion(experiment.loss, dataset).to(device),
        optimizer=optimizer,
        rate=rate,
        precision=precision,
        regularizer=Regularizer(regularization, network),
        average=average_of(regularization, network, epochs=training.epochs),
        guard=guard_of(optimizer, network, precision),
        device=device,
        needs_closure=experiment.optimizer.type in NEEDS_CLOSURE,
        batches=Batches(dataset, device, experiment.data, channels_last=channels_last),
        mixing=_mixing(regularization, numbers=dataset.description.task in NUMBERS),
        metrics=_metrics(experiment, dataset, device),
        val_metrics=_metrics(experiment, dataset, device),
        stopping=Stopping(training.early_stopping, has_validation=len(dataset.validation) > 0),
        host=host,
        runtime=RuntimeConfig.of(plan, channels_last=channels_last),
        seed=experiment.seed,
        epochs=training.epochs,
        batch_size=experiment.data.batch_size,
        accumulation_steps=training.accumulation_steps,
        validation_size=experiment.data.batch_size * VALIDATION_BATCHES,
    )


def _metrics(experiment: Experiment, dataset: Dataset, device: str) -> Metrics:
    description = dataset.description
    return metrics_for(
        description.task,
        description.outputs,
        device,
        probabilities=experiment.loss.type == "BCELoss",
        units=dataset.units,
        targets=description.targets,
    )


def _criterion(loss: Choice, dataset: Dataset) -> nn.Module:
    made = build_loss(loss, _class_counts(dataset) if loss.parameters else ())
    return PerStep(made) if dataset.description.task == "language modelling" else made


def _class_counts(dataset: Dataset) -> list[int]:
    """Count the training samples of each class; in a language model, the occurrences of each token to predict."""
    if dataset.description.task not in OF_CLASSES:
        return []
    found: list[int] = class_counts(dataset, dataset.train).tolist()
    return found


def _mixing(settings: Regularization, *, numbers: bool) -> Mixing | None:
    return Mixing(settings, numbers=numbers) if settings.mixup or settings.cutmix else None


def wants_channels_last(plan: Plan, network: nn.Module) -> bool:
    """Return whether images are stored channels last, which convolutions on CPUs and tensor cores prefer.

    Measured on a CPU: 1.2 to 1.3 times as fast on small convolutions in float32, 1.7 times in bfloat16, never slower.
    LBFGS flattens all gradients into one vector, which torch supports for contiguous gradients only.
    """
    if plan.device == "mps" or plan.experiment.optimizer.type in NEEDS_CLOSURE:
        return False
    return any(isinstance(module, nn.Conv2d) for module in network.modules())
