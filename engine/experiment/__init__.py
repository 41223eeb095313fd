"""The document that a run is built from: its schema, TOML, overrides, and mistakes."""

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
from engine.experiment.presets import Preset, preset_names, preset_text
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
    "read",
    "reads",
    "unknown_name",
]
