from engine.catalog import KINDS as _CATALOG_KINDS
from engine.catalog import SINGULAR as _KIND_NAMES
from engine.catalog import catalog as _catalog_entries
from engine.catalog.class_weights import order_of_classes as order_of_classes
from engine.catalog.class_weights import sentences_by_class as sentences_by_class
from engine.catalog.losses import OF_CLASSES as OF_CLASSES
from engine.catalog.schedulers import warmup_steps as warmup_steps
from engine.catalog.value_types import type_words as type_words
from engine.data import fetch as _download_data
from engine.data import sources as _data_sources
from engine.data.description import Description as _DataDescription
from engine.data.documents import presets as presets
from engine.data.documents import read_document as read_document
from engine.data.preview import Preview as _DataPreview
from engine.data.preview import Sample as _PreviewSample
from engine.data.preview import Spread as _PreviewSpread
from engine.data.preview import preview as _preview_data
from engine.data.progress import progress_to as progress_to
from engine.data.settling import known_data as known_data
from engine.data.sources import SOURCES as _DATA_SOURCES
from engine.data.sources import source_of_file as source_of_file
from engine.devices import DeviceInfo as DeviceInfo
from engine.devices import devices as _list_devices
from engine.editing import layers as _layer_editing
from engine.editing.choices import choose as choose
from engine.editing.choices import new_choice as new_choice
from engine.editing.choices import set_switch as set_switch
from engine.editing.command_line import train_command as train_command
from engine.editing.form import Field as _FormField
from engine.editing.form import form as _form_fields
from engine.editing.history import History as _EditHistory
from engine.editing.insertable import input_text as input_text
from engine.editing.insertable import insertion_problems as insertion_problems
from engine.editing.layers import NEW_DOCUMENT as NEW_DOCUMENT
from engine.editing.layers import Edit as Edit
from engine.editing.remedies import apply_fix as apply_fix
from engine.editing.text import Span as Span
from engine.editing.text import inline as _inline_value
from engine.editing.text import layers_of as layers_of
from engine.editing.text import set_value as set_value
from engine.editing.text import unset as unset
from engine.editing.text import value_at as value_at
from engine.editing.values import next_value as next_value
from engine.editing.values import parse_input as parse_input
from engine.editing.values import value_problem as value_problem
from engine.experiment import Choice as Choice
from engine.experiment import Data as Data
from engine.experiment import Draft as Draft
from engine.experiment import Experiment as Experiment
from engine.experiment import Layer as Layer
from engine.experiment import Mistake as Mistake
from engine.experiment import Preset as Preset
from engine.experiment import Refused as Refused
from engine.experiment import dumps as dumps
from engine.experiment import is_file as is_file
from engine.experiment import load as load
from engine.experiment import preset_names as preset_names
from engine.experiment import preset_text as preset_text
from engine.experiment import read as _read_experiment
from engine.experiment import reads as _reads_experiment
from engine.experiment.document import EMA as EMA
from engine.experiment.document import SWA as SWA
from engine.experiment.document import Regularization as Regularization
from engine.experiment.document import Training as Training
from engine.experiment.mistakes import unknown_name as unknown_name
from engine.experiment.mistakes import value_text as value_text
from engine.experiment.overrides import override_value as override_value
from engine.experiment.tree import CONTAINER_FIELDS as CONTAINER_FIELDS
from engine.experiment.tree import Place as Place
from engine.experiment.tree import by_path as _layers_by_path
from engine.experiment.tree import walk as _walk_layers
from engine.json_numbers import json_number as json_number
from engine.model.init_statistics import WeightStatistics as WeightStatistics
from engine.model.init_statistics import init_statistics as init_statistics
from engine.plan import LayerPlan as LayerPlan
from engine.plan import Plan as Plan
from engine.plan import check as check
from engine.plan.groups import GroupPlan as GroupPlan
from engine.plan.loss_curve import LossCurve as LossCurve
from engine.plan.loss_curve import LossLine as LossLine
from engine.plan.loss_curve import loss_curve as loss_curve
from engine.plan.precision_choices import PrecisionChoice as PrecisionChoice
from engine.plan.precision_choices import precision_choices as precision_choices
from engine.private_files import replace_file as replace_file
from engine.probes import check_gradients as check_gradients
from engine.probes import find_rate as find_rate
from engine.probes import memorise_batch as memorise_batch
from engine.probes.records import BatchDone as BatchDone
from engine.probes.records import BatchStep as BatchStep
from engine.probes.records import GradientsChecked as GradientsChecked
from engine.probes.records import LayerChecked as LayerChecked
from engine.probes.records import RateFound as RateFound
from engine.probes.records import RateStep as RateStep
from engine.probes.records import Record as _ProbeRecord
from engine.protocol.commands import PAUSE_MODES as PAUSE_MODES
from engine.protocol.commands import Command as Command
from engine.protocol.commands import PauseMode as PauseMode
from engine.protocol.commands import SetLR as SetLR
from engine.protocol.commands import Simple as Simple
from engine.protocol.events import Checkpoint as Checkpoint
from engine.protocol.events import CommandDone as CommandDone
from engine.protocol.events import Device as Device
from engine.protocol.events import Epoch as Epoch
from engine.protocol.events import Event as Event
from engine.protocol.events import Finished as Finished
from engine.protocol.events import Log as Log
from engine.protocol.events import RunStarted as RunStarted
from engine.protocol.events import Step as Step
from engine.protocol.events import event_from_json as event_from_json
from engine.protocol.outcomes import CheckpointFailed as CheckpointFailed
from engine.protocol.outcomes import CheckpointSaved as CheckpointSaved
from engine.protocol.outcomes import CheckpointStarted as CheckpointStarted
from engine.protocol.outcomes import CommandRefused as CommandRefused
from engine.protocol.outcomes import Continued as Continued
from engine.protocol.outcomes import Ending as Ending
from engine.protocol.outcomes import LRChanged as LRChanged
from engine.protocol.outcomes import MemoryReleased as MemoryReleased
from engine.protocol.outcomes import Paused as Paused
from engine.protocol.outcomes import Text as _TextOutcome
from engine.protocol.states import Reason as Reason
from engine.protocol.states import ViewState as ViewState
from engine.runs import Follower as Follower
from engine.runs import RunSummary as RunSummary
from engine.runs import ask as _send_command
from engine.runs import differences as _run_differences
from engine.runs import experiment_of as experiment_of
from engine.runs import find_run as find_run
from engine.runs import finish_removals as finish_removals
from engine.runs import list_runs as list_runs
from engine.runs import remove_run as remove_run
from engine.runs import runs_dir as runs_dir
from engine.runs import summarize as summarize
from engine.runs.paths import CHECKPOINTS as CHECKPOINTS
from engine.runs.paths import CONSOLE_LOG as CONSOLE_LOG
from engine.runs.paths import command_for as command_for
from engine.runs.paths import retrain_command as retrain_command
from engine.sizes import share_text as share_text
from engine.training.memory import keep_freed_memory as keep_freed_memory
from engine.training.recovery import error_sentence as error_sentence
from engine.training.regularization import Penalties as Penalties
from engine.training.regularization import penalties_at_start as penalties_at_start
from engine.training.session import Session as Session
from engine.user_folders import NO_HOME as NO_HOME
from engine.user_folders import config_folder as config_folder
from engine.user_folders import expanded as expanded
from engine.user_folders import home as _home_folder
from engine.user_folders import home_problem as home_problem
from engine.user_folders import state_folder as state_folder

CATALOG_KINDS = _CATALOG_KINDS
KIND_NAMES = _KIND_NAMES
catalog_entries = _catalog_entries
data_sources = _data_sources
download_data = _download_data
DataDescription = _DataDescription
DataPreview = _DataPreview
PreviewSample = _PreviewSample
PreviewSpread = _PreviewSpread
preview_data = _preview_data
DATA_SOURCES = _DATA_SOURCES
list_devices = _list_devices
FormField = _FormField
form_fields = _form_fields
EditHistory = _EditHistory
layer_editing = _layer_editing
inline_value = _inline_value
read_experiment = _read_experiment
reads_experiment = _reads_experiment
layers_by_path = _layers_by_path
walk_layers = _walk_layers
ProbeRecord = _ProbeRecord
TextOutcome = _TextOutcome
run_differences = _run_differences
send_command = _send_command
home_folder = _home_folder
