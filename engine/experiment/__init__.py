"""The document that a run is made from: its schema, TOML, overrides, and the mistakes it can have."""

from engine.experiment.document import (
    EMA,
    SWA,
    Choice,
    Data,
    EarlyStopping,
    Experiment,
    Layer,
    Model,
    Regularization,
    Scheduler,
    Training,
)
from engine.experiment.draft import Draft, is_file, load, read, reads
from engine.experiment.mistakes import Mistake, Refused, nearest, unknown_name
from engine.experiment.presets import Preset, preset_names, preset_text, presets
from engine.experiment.toml import dumps

__all__ = [
    "EMA",
    "SWA",
    "Choice",
    "Data",
    "Draft",
    "EarlyStopping",
    "Experiment",
    "Layer",
    "Mistake",
    "Model",
    "Preset",
    "Refused",
    "Regularization",
    "Scheduler",
    "Training",
    "dumps",
    "is_file",
    "load",
    "nearest",
    "preset_names",
    "preset_text",
    "presets",
    "read",
    "reads",
    "unknown_name",
]
