"""An engine that answers immediately and trains nothing: plans and runs are written by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fake_run import run_started

from engine.data.description import Description
from engine.experiment import Draft, Experiment, Mistake, Preset, Refused, reads
from engine.protocol.commands import Command, PauseMode
from engine.protocol.events import Event, Finished, Reason
from engine.runs import RunSummary
from tui.rows.explanations import Explained
from tui.services.producer import Producer

if TYPE_CHECKING:
    from engine.plan import LayerPlan, Plan

DIGITS = Description(
    source="digits",
    task="classification",
    input_shape=(1, 8, 8),
    input_dtype="float32",
    input_kind="image",
    outputs=10,
    classes=tuple("0123456789"),
    vocabulary_size=None,
    has_lengths=False,
    train_samples=1438,
    val_samples=359,
    test_samples=0,
    bytes=474_408,
    notes=("Standardised by the training part.",),
)

PRESETS = (
    Preset(
        "digits-cnn",
        "Handwritten digits, 8×8: a small CNN reaches 99 % in seconds, without a download.",
    ),
    Preset("lenet", "LeNet-5 (LeCun et al., 1998), its kernels fitted to the 8×8 digits."),
    Preset("mackey-glass-lstm", "A chaotic series, one step ahead: LSTM 64."),
)

DOCUMENT = """
name = "digits-cnn"
data = {source = "digits", validation = 0.2, batch_size = 64}
loss = {type = "CrossEntropyLoss", label_smoothing = 0.05}
optimizer = {type = "AdamW", lr = 3e-3, weight_decay = 0.01}
scheduler = "CosineAnnealingLR"
regularization = {clip_grad_norm = 1.0}
training = {epochs = 30, early_stopping = {monitor = "val_loss", patience = 8}}

[model]
init = "kaiming_normal_"
layers = [
  {type = "Conv2d", out_channels = 32, kernel_size = 3, padding = "same"}, "BatchNorm2d", "ReLU",
  {type = "MaxPool2d", kernel_size = 2},
  {type = "Conv2d", out_channels = 32, kernel_size = 3, padding = "same"}, "BatchNorm2d", "ReLU",
  {type = "MaxPool2d", kernel_size = 2},
  "Flatten",
  {type = "Linear", out_features = 64}, "ReLU",
  {type = "Dropout", p = 0.25},
  {type = "Linear", out_features = "auto"},
]
"""


def document(*overrides: str, name: str = "digits-cnn") -> Draft:
    """A small CNN on the digits."""
    return reads(DOCUMENT, [f'name="{name}"', *overrides])


SHAPES = [(32, 8, 8)] * 3 + [(32, 4, 4)] * 4 + [(32, 2, 2)] + [(128,)] + [(64,)] * 3 + [(10,)]
PARAMETERS = [320, 64, 0, 0, 9248, 64, 0, 0, 0, 8256, 0, 0, 650]


def plan_of(draft: Draft) -> Plan:
    """A plan of the digits-cnn, made by hand: shapes and counts as torch gives them."""
    from engine.plan import Plan  # imports torch

    experiment = draft.experiment
    assert experiment is not None
    layers = tuple(_layer(experiment, index) for index in range(len(experiment.model.layers)))
    mistakes = draft.with_mistakes(layer.mistake for layer in layers if layer.mistake)
    return Plan(
        experiment=experiment,
        description=DIGITS,
        layers=layers,
        parameters=sum(layer.parameters for layer in layers),
        flops=348_896,
        memory_bytes=2_764_000,
        device="cpu",
        precision="float32",
        threads=2,
        steps_per_epoch=23,
        steps=690,
        lr=(3e-3, 1.5e-3, 1e-5),
        mistakes=mistakes,
    )


def _layer(experiment: Experiment, index: int) -> LayerPlan:
    from engine.plan import LayerPlan

    layer = experiment.model.layers[index]
    path = f"model.layers[{index}]"
    wrong = None
    if "in_features" in layer.parameters:
        wrong = Mistake(
            path,
            f"in_features is {layer.parameters['in_features']}",
            "the layer before gives 128",
            "Remove in_features (it is inferred), or set it to 128.",
            subject=layer.type,
        )
    first = next(iter(layer.parameters.values()), "")
    return LayerPlan(
        path=path,
        number=str(index),
        depth=0,
        type=layer.type,
        label=f"{layer.type} {first}".strip(),
        output_shape=SHAPES[index % len(SHAPES)],
        parameters=PARAMETERS[index % len(PARAMETERS)],
        flops=36_864,
        activation_bytes=8192,
        mistake=wrong,
    )


NOW = time.time()


def summary(status: str, name: str, **fields: Any) -> RunSummary:
    """A run in the list; begun two and a half hours ago, so that a slow test does not see it age."""
    given: dict[str, Any] = {
        "name": f"2026-11-23T16-15-30-{name}",
        "path": Path("/home/ada/runs") / f"2026-11-23T16-15-30-{name}",
        "status": status,
        "paused": False,
        "started": NOW - 9000,
        "experiment_name": name,
        "epoch": 12,
        "epochs": 30,
        "best": 0.0731,
        "best_epoch": 10,
        "monitor": "val_loss",
        "seconds": 7.3,
        "message": "",
    }
    return RunSummary(**(given | fields))


RUNS = [
    summary("live", "digits-cnn"),
    summary(
        "completed", "lenet", epoch=30, best=0.1021, message="Trained 30 epochs; best val_loss 0.1021 at epoch 28."
    ),
    summary("early_stopped", "digits-lstm", epoch=17, best=0.21),
    summary("failed", "digits-cnn", epoch=2, best=None, message="The loss stopped being finite at step 41."),
    summary("stopped", "mackey-glass-lstm", epoch=3, monitor="val_rmse", best=0.012),
    summary("stale", "stdlib-docs-lstm", epoch=3, best=0.9),
]


def explain(kind: str, name: str) -> Explained:
    """An entry like those of the catalog."""
    return Explained(
        name=name,
        torch_name=f"torch.of.{kind}.{name}" if kind != "sources" else "",
        summary=f"What {name} does, in one sentence.",
        when="When to take it, in another.",
    )


@dataclass
class FakeRun:
    """A run that is active until it is stopped."""

    directory: Path
    finished: Finished | None = None
    pause_mode: PauseMode | None = None
    commands_read: int = 0
    stale: bool = False
    suspended: bool = False
    sent: list[Command] = field(default_factory=list)
    _events: list[Event] = field(default_factory=lambda: [run_started()])

    @property
    def alive(self) -> bool:
        return self.finished is None

    def drain(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def send(self, command: Command) -> None:
        self.sent.append(command)
        if command.command == "stop":
            self.end(Reason.STOPPED, "Stopped by hand at step 40.")

    def interrupt(self) -> None:
        self.end(Reason.INTERRUPTED, "Interrupted at step 40; everything is saved.")

    def end(self, reason: Reason, message: str) -> None:
        self.finished = Finished(reason=reason, epoch=2, step=40, seconds=1.0, message=message)
        self._events.append(self.finished)

    def join(self, timeout_s: float | None = None) -> bool:
        time.sleep(min(timeout_s or 0.0, 0.05))
        return not self.alive


class FakeProducer(Producer):
    """Stands in for the engine. `held` keeps `plan_of` from answering until it is set."""

    def __init__(self, runs: Sequence[RunSummary] = (), *, held: bool = False, refuses: str = "") -> None:
        self.listed = list(runs)
        self.started: list[FakeRun] = []
        self.planned: list[Draft] = []
        self.followed: list[Path] = []
        self.go = threading.Event()
        self.refuses = refuses
        if not held:
            self.go.set()

    def presets(self) -> tuple[Preset, ...]:
        return PRESETS

    def read(self, preset_or_file: str) -> Draft:
        return document(name=preset_or_file)

    def plan_of(self, draft: Draft) -> Plan:
        self.go.wait(20)
        self.planned.append(draft)
        return plan_of(draft)

    def runs(self, runs_dir: Path) -> list[RunSummary]:
        return self.listed

    def explain(self, kind: str, name: str) -> Explained | None:
        return explain(kind, name)

    def load_torch(self) -> None:
        self.go.wait(20)

    def start(self, plan: Plan, runs_dir: Path) -> FakeRun:
        if self.refuses:
            raise Refused(Mistake(str(runs_dir), self.refuses, "", "Name another with --runs-dir."))
        self.started.append(FakeRun(runs_dir / f"2026-11-23T16-15-30-{plan.experiment.name}"))
        return self.started[-1]

    def follow(self, path: Path) -> Any:
        self.followed.append(path)
        return FakeRun(path)
