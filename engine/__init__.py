"""The Python API of torchdeck: check an experiment, train it, follow, steer and resume its run.

Names are imported when they are first used, so `import engine` does not load torch. The command line and the deck use
only the names of this module.

Read a preset or a file, with overrides as on the command line, and check it without training:

    >>> import engine
    >>> draft = engine.read_experiment("digits-cnn", ["training.epochs=2", "training.device=cpu"])
    >>> plan = engine.check(draft)
    >>> plan.ok, plan.parameters, plan.layers[0].output_shape
    (True, 18602, (32, 8, 8))

A mistake has a path, two clauses and a fix:

    >>> for mistake in engine.check(engine.read_experiment("digits-cnn", ["optimizer.type=Adma"])).mistakes:
    ...     print(mistake.path, "|", mistake.found, "|", mistake.fix)
    optimizer.type | 'Adma' is not an optimizer | Did you mean Adam?

Train in this process, on a thread; the run directory is the interface for every other process:

    >>> from pathlib import Path
    >>> session = engine.Session.create(plan, runs_dir=Path("runs"))
    >>> session.start()
    >>> session.join()
    True
    >>> session.finished.reason.value, session.finished.epoch
    ('completed', 2)

List runs and read the events of one, from any process:

    >>> [run] = engine.list_runs(Path("runs"))
    >>> run.status, run.epoch, run.experiment_name
    ('completed', 2, 'digits-cnn')
    >>> events = engine.Follower(run.path).drain()
    >>> [event.epoch for event in events if isinstance(event, engine.Epoch)]
    [1, 2]

Resume it for one more epoch, and steer it while it runs:

    >>> session = engine.Session.resume(run.path, ["training.epochs=3"])
    >>> session.start(pause_mode="pause")
    >>> session.send(engine.SetLR(value=5e-4))
    >>> session.send(engine.Simple(command="continue"))
    >>> session.join()
    True
    >>> answers = [event for event in session.drain() if isinstance(event, engine.CommandDone)]
    >>> [answer.command for answer in answers]
    ['pause', 'set_lr', 'continue']
    >>> engine.list_runs(Path("runs"))[0].epoch
    3
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "engine.catalog": "CATALOG_KINDS KIND_NAMES catalog_entries",
    "engine.catalog.class_weights": "order_of_classes sentences_by_class",
    "engine.catalog.losses": "OF_CLASSES",
    "engine.catalog.schedulers": "warmup_steps",
    "engine.catalog.value_types": "type_words",
    "engine.data": "data_sources download_data",
    "engine.data.description": "DataDescription",
    "engine.data.documents": "presets read_document",
    "engine.data.preview": "DataPreview PreviewSample PreviewSpread preview_data",
    "engine.data.progress": "progress_to",
    "engine.data.settling": "known_data",
    "engine.data.sources": "DATA_SOURCES source_of_file",
    "engine.devices": "DeviceInfo list_devices",
    "engine.editing.choices": "choose new_choice set_switch",
    "engine.editing.command_line": "train_command",
    "engine.editing.form": "FormField form_fields",
    "engine.editing.history": "EditHistory",
    "engine.editing.insertable": "input_text insertion_problems",
    "engine.editing.layers": "NEW_DOCUMENT Edit",
    "engine.editing.remedies": "apply_fix",
    "engine.editing.text": "Span inline_value layers_of set_value unset value_at",
    "engine.editing.values": "next_value parse_input value_problem",
    "engine.experiment": (
        "Choice Data Draft Experiment Layer Mistake Preset Refused dumps is_file load preset_names "
        "preset_text read_experiment reads_experiment"
    ),
    "engine.experiment.document": "EMA SWA Regularization Training",
    "engine.experiment.mistakes": "unknown_name value_text",
    "engine.experiment.overrides": "override_value",
    "engine.experiment.tree": "CONTAINER_FIELDS Place layers_by_path walk_layers",
    "engine.json_numbers": "json_number",
    "engine.model.init_statistics": "WeightStatistics init_statistics",
    "engine.plan": "LayerPlan Plan check",
    "engine.plan.groups": "GroupPlan",
    "engine.plan.loss_curve": "LossCurve LossLine loss_curve",
    "engine.plan.precision_choices": "PrecisionChoice precision_choices",
    "engine.private_files": "replace_file",
    "engine.probes": "check_gradients find_rate memorise_batch",
    "engine.probes.records": "BatchDone BatchStep GradientsChecked LayerChecked ProbeRecord RateFound RateStep",
    "engine.protocol.commands": "PAUSE_MODES Command PauseMode SetLR Simple",
    "engine.protocol.events": (
        "Checkpoint CommandDone Device Epoch Event Finished Log RunStarted Step event_from_json"
    ),
    "engine.protocol.outcomes": (
        "CheckpointFailed CheckpointSaved CheckpointStarted CommandRefused Continued Ending LRChanged "
        "MemoryReleased Paused TextOutcome"
    ),
    "engine.protocol.states": "Reason ViewState",
    "engine.runs": (
        "Follower RunSummary experiment_of find_run finish_removals list_runs remove_run run_differences "
        "runs_dir send_command summarize"
    ),
    "engine.runs.paths": "CHECKPOINTS CONSOLE_LOG command_for retrain_command",
    "engine.sizes": "share_text",
    "engine.training.memory": "keep_freed_memory",
    "engine.training.recovery": "error_sentence",
    "engine.training.regularization": "Penalties penalties_at_start",
    "engine.training.session": "Session",
    "engine.user_folders": "NO_HOME config_folder expanded home_folder home_problem state_folder",
}
"""The public names of each module. `__init__.pyi` gives their types; a test compares the two."""

_ORIGINAL_NAMES = {
    "CATALOG_KINDS": "KINDS",
    "DATA_SOURCES": "SOURCES",
    "DataDescription": "Description",
    "DataPreview": "Preview",
    "EditHistory": "History",
    "FormField": "Field",
    "KIND_NAMES": "SINGULAR",
    "PreviewSample": "Sample",
    "PreviewSpread": "Spread",
    "ProbeRecord": "Record",
    "TextOutcome": "Text",
    "catalog_entries": "catalog",
    "data_sources": "sources",
    "download_data": "fetch",
    "form_fields": "form",
    "home_folder": "home",
    "inline_value": "inline",
    "layers_by_path": "by_path",
    "list_devices": "devices",
    "preview_data": "preview",
    "read_experiment": "read",
    "reads_experiment": "reads",
    "run_differences": "differences",
    "send_command": "ask",
    "walk_layers": "walk",
}
"""Names that say less inside their own module."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*_MODULES, "layer_editing"]


def __getattr__(name: str) -> Any:
    if name == "layer_editing":
        value: Any = import_module("engine.editing.layers")
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), _ORIGINAL_NAMES.get(name, name))
    else:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    globals()[name] = value
    return value
