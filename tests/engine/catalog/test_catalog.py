"""What can be chosen, held against torch's own signatures and documentation."""

from __future__ import annotations

import enum
import inspect
import itertools
import json
import re
import subprocess
import sys
from importlib import import_module

import pytest
import torch

from engine.catalog import KINDS, catalog, find
from engine.catalog.docstrings import parameter_help, plain
from engine.catalog.entry import NO_CLASS
from engine.catalog.optimizers import NOT_IN_CATALOG
from engine.catalog.value_types import members
from engine.experiment import Experiment, Refused, Regularization

CHOICES = [entry for kind in KINDS if kind not in NO_CLASS for entry in catalog(kind).values()]
PROMISED = {
    "losses": "L1Loss MSELoss SmoothL1Loss HuberLoss BCEWithLogitsLoss BCELoss CrossEntropyLoss NLLLoss",
    "optimizers": "SGD Adagrad RMSprop Adadelta Adam AdamW NAdam RAdam",
    "schedulers": "StepLR MultiStepLR ExponentialLR CosineAnnealingLR OneCycleLR ReduceLROnPlateau",
    "initializers": "uniform_ normal_ kaiming_uniform_ kaiming_normal_ xavier_uniform_ xavier_normal_ orthogonal_ "
    "constant_",
    "layers": "Conv1d Conv2d MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d BatchNorm1d "
    "BatchNorm2d LayerNorm Dropout Dropout2d Flatten Linear Embedding RNN LSTM GRU ReLU LeakyReLU ELU GELU SiLU Tanh "
    "Sigmoid Softmax LogSoftmax Identity",
    "transforms": "Resize CenterCrop Pad Grayscale",
    "augmentations": "RandomHorizontalFlip RandomCrop RandomResizedCrop RandomRotation ColorJitter RandomErasing "
    "RandAugment TrivialAugmentWide WordDropout Jitter Scaling",
    "metrics": "accuracy f1 mae rmse r2",
    "regularizers": "weight_decay l1 l2 dropout clip_grad_norm clip_grad_value label_smoothing mixup cutmix average "
    "drop_path early_stopping",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_promised_name_is_in_the_catalog(kind):
    assert set(PROMISED[kind].split()) <= set(catalog(kind))


@pytest.mark.parametrize("entry", CHOICES, ids=lambda e: f"{e.kind}.{e.name}")
def test_an_entry_is_torchs_own_and_its_defaults_are_those_of_the_signature(entry):
    torch_class = entry.torch_class()
    assert torch_class.__name__ == entry.name
    if entry.kind in ("transforms", "augmentations"):
        theirs = "engine.data." if entry.torch_name.startswith("engine.") else "torchvision.transforms."
    else:
        theirs = "engine.model." if entry.torch_name.startswith("engine.") else "torch."
    assert torch_class.__module__.startswith(theirs)
    read = torch.nn.RNNBase if entry.name in ("RNN", "LSTM", "GRU") else torch_class
    if entry.signature_of.startswith("engine."):
        read = getattr(import_module(entry.signature_of.rpartition(".")[0]), entry.name)
    declared = inspect.signature(read).parameters
    ours = {parameter.name for parameter in entry.added}
    for name, parameter in entry.parameters.items():
        if name in ours:
            continue
        default = declared[name].default
        assert parameter.required == (default is inspect.Parameter.empty and not parameter.inferred)
        if not parameter.inferred and default is not inspect.Parameter.empty:
            default = default.value if isinstance(default, enum.Enum) else default
            assert parameter.default == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("entry", CHOICES, ids=lambda e: f"{e.kind}.{e.name}")
def test_an_entry_and_its_parameters_explain_themselves(entry):
    for sentence in (entry.summary, entry.when, *(p.help for p in entry.parameters.values())):
        assert sentence.endswith("."), sentence
        assert sentence[0] == sentence[0].upper()
        assert not any(markup in sentence for markup in ("``", ":attr:", ":math:", "\\", "Default:")), sentence
    assert json.loads(json.dumps(entry.as_dict()))["name"] == entry.name


@pytest.mark.parametrize("entry", CHOICES, ids=lambda e: f"{e.kind}.{e.name}")
def test_nothing_is_offered_that_a_document_cannot_hold(entry):
    offered = set(entry.parameters)
    hidden = "params optimizer device dtype size_average reduce reduction batch_first last_epoch foreach fused"
    assert not offered & set(hidden.split())
    assert not any(name.startswith("_") for name in offered)


def test_names_and_summaries_are_listed_without_torch():
    script = (
        "import sys\nfrom engine.catalog import KINDS, catalog\n"
        "assert all(e.summary and e.when for k in KINDS for e in catalog(k).values())\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(Refused, match="Did you mean optimizers"):
        catalog("optimisers")
    with pytest.raises(Refused, match="Did you mean Conv2d"):
        find("layers", "conv2D")


def test_types_are_narrower_than_torchs_where_torch_takes_any_text():
    conv = catalog("layers")["Conv2d"].parameters
    assert conv["padding"].type == "'same' | 'valid' | int | [int, int]"
    assert conv["padding"].choices == ("same", "valid")
    assert catalog("layers")["GELU"].parameters["approximate"].choices == ("none", "tanh")


def test_markup_is_taken_off_documentation():
    assert plain("If :attr:`x` is ``True``, see `Adam <https://a.b>`__. Default: ``3``") == "If x is True, see Adam."
    assert plain("The decay (default: 0.9)") == "The decay."
    assert "smoothing" in parameter_help(torch.nn.CrossEntropyLoss)["label_smoothing"]


GROUPS = (
    *("linear", "convolution", "pooling", "normalization", "activation", "recurrent", "embedding", "attention"),
    *("dropout", "shape", "pretrained", "container"),
)


def test_layers_are_listed_group_by_group():
    layers = catalog("layers")
    assert tuple(group for group, _ in itertools.groupby(entry.group for entry in layers.values())) == GROUPS
    assert layers["Conv3d"].as_dict()["group"] == "convolution"


def test_every_optimizer_of_torch_is_in_the_catalog_or_there_is_a_reason():
    torchs = {
        name
        for name in dir(torch.optim)
        if inspect.isclass(cls := getattr(torch.optim, name)) and issubclass(cls, torch.optim.Optimizer)
    }
    assert not set(NOT_IN_CATALOG) & set(catalog("optimizers"))
    assert torchs == {*catalog("optimizers"), *NOT_IN_CATALOG}
    assert all(NOT_IN_CATALOG.values())


NOTHING_TO_COMPUTE = {"Identity", "Flatten", "torchvision"}
EVERY_ENTRY = [entry for kind in KINDS for entry in catalog(kind).values()]


@pytest.mark.parametrize("entry", EVERY_ENTRY, ids=lambda e: f"{e.kind}.{e.name}")
def test_an_entry_is_a_page_of_the_field_guide(entry):
    for sentence in (entry.summary, entry.when, entry.when_not):
        assert sentence.endswith(".") and sentence[0] == sentence[0].upper(), sentence
    assert entry.formula or entry.name in NOTHING_TO_COMPUTE
    assert all(len(line) <= 76 for line in entry.formula.splitlines()), entry.formula


def test_optimizers_stand_in_the_order_in_which_they_grew_out_of_each_other():
    names = list(catalog("optimizers"))
    for entry in catalog("optimizers").values():
        ancestors = [name for name in names if re.search(rf"\b{name}\b", entry.grew_from)]
        assert entry.grew_from or entry.name == "SGD"
        assert all(names.index(name) < names.index(entry.name) for name in ancestors), entry.name


def test_every_field_that_regularizes_is_in_the_guide_and_every_path_of_the_guide_is_in_the_document():
    entries = catalog("regularizers")
    assert set(Regularization.model_fields) <= set(entries)
    for entry in entries.values():
        part, _, name = entry.path.partition(".")
        model = next(m for m in members(Experiment.model_fields[part].annotation) if hasattr(m, "model_fields"))
        parameters = {p for kind in ("losses", "optimizers") for e in catalog(kind).values() for p in e.parameters}
        assert name in model.model_fields or name in parameters, entry.path
