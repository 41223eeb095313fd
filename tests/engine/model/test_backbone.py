"""torchvision's models as a layer: what the plan says of them is what torchvision makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from networks import AUTO, experiment, images, said, sequences, texts, traced
from torch import nn

from engine.catalog.layers.published_models import model_names, published, weight_names, weights_member
from engine.experiment import read
from engine.experiment.document import Model
from engine.model import build
from engine.model.backbone import Backbone
from engine.plan import check

FAMILIES = (
    *(
        "alexnet",
        "convnext_tiny",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "inception_v3",
        "maxvit_t",
        "mnasnet0_5",
    ),
    *(
        "mobilenet_v2",
        "mobilenet_v3_small",
        "regnet_x_400mf",
        "resnet18",
        "shufflenet_v2_x0_5",
        "squeezenet1_1",
        "swin_t",
    ),
    *("swin_v2_t", "vgg11", "vit_b_16"),
)
"""One of each of torchvision's families, the smallest. `TORCHDECK_EVERY_MODEL=1` takes every model, in two minutes."""
MODELS = model_names() if os.environ.get("TORCHDECK_EVERY_MODEL") else FAMILIES


def layer(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "torchvision", "name": name, **more}


def of_torchvision(name: str, **more: Any) -> nn.Module:
    """torchvision's own model, without the heads that help while training."""
    from torchvision import models

    if name in ("googlenet", "inception_v3"):
        more |= {"aux_logits": False, "init_weights": True}
    return models.get_model(name, **more)


def test_every_classification_model_is_offered_and_no_other():
    assert len(model_names()) >= 80
    assert {*FAMILIES, "vit_h_14", "resnet152"} <= set(model_names())
    odd = ("quantized", "rcnn", "segment", "fcn", "deeplab", "raft", "r3d", "mvit", "s3d", "ssd", "retinanet", "lraspp")
    assert not [name for name in model_names() if any(part in name for part in odd)]


@pytest.mark.parametrize("name", MODELS)
def test_the_plan_of_a_model_is_what_torchvision_publishes_of_it_and_features_leave_out_its_last_layer(name):
    member, weights = weights_member(name, "DEFAULT"), published(name, "DEFAULT")
    square = images(3, weights.crop_size, weights.crop_size, classes=1000)
    (whole,) = traced(square, layer(name, weights="DEFAULT", features=False))
    features, _ = traced(square, layer(name, weights="DEFAULT"), AUTO)
    assert whole.mistakes == features.mistakes == ()
    assert whole.signal.shape == (1000,)
    helpers = {"inception_v3": 27_161_264 - 23_834_568}.get(name, 0)
    assert whole.parameters == member.meta["num_params"] - helpers
    # Published are multiply-and-adds, in billions, of which each is two operations.
    assert whole.flops / 2e9 == pytest.approx(member.meta["_ops"], rel=0.02, abs=0.001)
    (f,) = features.signal.shape
    assert whole.parameters - features.parameters in (1000 * f, 1000 * (f + 1))
    assert whole.flops - features.flops == 2 * 1000 * f * (13**2 if name.startswith("squeezenet") else 1)


@pytest.mark.parametrize(("name", "count"), [("resnet18", 11_689_512), ("vgg11", 132_863_336)])
def test_a_model_of_1000_outputs_has_the_published_number_of_parameters(name, count):
    (whole,) = traced(images(3, 224, 224, classes=1000), layer(name, features=False))
    assert (whole.parameters, whole.frozen, whole.mistakes) == (count, 0, ())


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_without_weights_a_model_starts_as_torchvisions_own(name):
    torch.manual_seed(3)
    ours = build(experiment(layer(name, features=False, num_classes="auto")), images(3, 32, 32))
    torch.manual_seed(3)
    own = of_torchvision(name, num_classes=10)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours.eval()(x), own.eval()(x))


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "resnet18"])
def test_a_plan_is_what_the_built_network_does_with_images_of_any_size(name):
    backbone = layer(name, resize=40)
    planned, _ = traced(images(1, 8, 8), backbone, AUTO)
    network = build(experiment(backbone, AUTO), images(1, 8, 8))
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        x = network[0](torch.rand(2, 1, 8, 8))
    assert tuple(x.shape[1:]) == planned.signal.shape
    own = {id(p) for p in network[0].parameters()}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept if id(t) not in own}
    assert planned.activation_bytes == pytest.approx(sum(storages.values()) / 2, rel=0.2)


def test_images_are_normalized_repeated_and_resized_as_the_plan_says():
    backbone = Backbone("squeezenet1_1", resize=24)
    seen = []
    backbone.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 1, 48, 48)
    backbone(x)
    smaller = nn.functional.interpolate(x, (24, 24), mode="bilinear", antialias=True)
    assert torch.equal(seen[-1], smaller.expand(-1, 3, -1, -1))
    backbone.mean, backbone.std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    backbone(smaller)
    assert torch.equal(seen[-1], (smaller.expand(-1, 3, -1, -1) - 0.5) / 0.25)

    plan = check(read("resnet18-finetune", ["data.source=digits", "model.layers[0].resize=auto"]))
    notes = " ".join(plan.layers[0].notes)
    assert "The single channel is repeated to 3." in notes
    assert "Images are resized from 8×8 to 224×224." in notes
    assert "mean 0.485 0.456 0.406, std 0.229 0.224 0.225" in notes
    assert "11,176,512 of its weights are frozen" in notes


def test_training_does_not_change_the_output_of_a_frozen_backbone():
    torch.manual_seed(0)
    network = build(experiment(layer("shufflenet_v2_x0_5", freeze=True), AUTO), images(3, 32, 32))
    before = {name: value.clone() for name, value in network[0].state_dict().items()}
    x = torch.rand(4, 3, 32, 32)
    features = network[0](x)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0, weight_decay=0.1)
    for _ in range(3):
        network.train()
        network(x).square().sum().backward()
        optimizer.step()
    assert network.training and not any(module.training for module in network[0].model.modules())
    assert all(torch.equal(value, before[name]) for name, value in network[0].state_dict().items())
    assert torch.equal(network[0](x), features)


def test_a_new_head_of_a_frozen_model_is_trained():
    whole = layer("shufflenet_v2_x0_5", freeze=True, features=False, num_classes="auto")
    network = build(experiment(whole), images(3, 32, 32))
    assert [name for name, p in network.named_parameters() if p.requires_grad] == [
        "0.model.fc.weight",
        "0.model.fc.bias",
    ]
    (planned,) = traced(images(3, 32, 32), whole)
    assert planned.parameters - planned.frozen == sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_what_is_frozen_costs_the_optimizer_and_the_backward_pass_nothing():
    frozen, free = (
        check(read("resnet18-finetune", ["model.layers[0].weights=none", f"model.layers[0].freeze={freeze}"]))
        for freeze in ("true", "false")
    )
    assert (frozen.parameters, frozen.frozen) == (11_181_642, 11_176_512)
    assert (free.parameters, free.frozen) == (11_181_642, 0)
    assert frozen.memory_bytes < free.memory_bytes / 3


@pytest.mark.parametrize(
    ("description", "more", "sentence"),
    [
        (images(3), {"name": "resnet81"}, "model.layers[0].name: 'resnet81' is not a classification model of torchvi"),
        (images(3), {"name": "resnet81"}, "Did you mean resnet18?"),
        (images(3), {"name": "resnet18", "weights": "IMAGENET1K_V3"}, "Did you mean IMAGENET1K_V1?"),
        (images(3), {"name": "resnet18", "weights": "default"}, "Did you mean DEFAULT?"),
        (images(3), {}, "name is missing"),
        (images(3), {"name": "resnet18", "progress": False}, "torchdeck sets it"),
        (images(4), {"name": "resnet18"}, 'Put {type = "Conv2d", out_channels = 3, kernel_size = 1} before it.'),
        (texts(9), {"name": "resnet18"}, "Use data that is images, or another layer."),
        (sequences(9), {"name": "resnet18"}, "it needs an image (channels, height, width)"),
        (
            images(3),
            {"name": "inception_v3"},
            "does not accept images of 8×8; it accepts 75×75 and larger. Set resize =",
        ),
        (images(3), {"name": "vit_b_16"}, "does not accept images of 8×8; it accepts 224×224 only. Set resize ="),
        (
            images(3),
            {"name": "vgg11", "resize": 16},
            "model.layers[0].resize torchvision: vgg11 does not accept images",
        ),
        (images(3), {"name": "resnet18", "resize": 0}, "expected 'none' or 'auto' or a whole number of at least 1"),
        (images(3), {"name": "resnet18", "freeze": True}, "random weights, which would not be trained"),
        (images(3), {"name": "resnet18", "num_classes": 4}, "Remove it, or set features = false."),
        (images(3), {"name": "resnet18", "resize": "auto"}, "Set it to 224, for example, or remove it."),
    ],
)
def test_a_mistake_of_a_backbone_has_its_path_and_the_fix(description, more, sentence):
    assert any(sentence in each for each in said(description, {"type": "torchvision", **more}, AUTO))


def test_a_complete_model_with_another_number_of_classes_gets_the_fix():
    assert said(images(3, 32, 32), layer("resnet18", features=False)) == [
        'model.layers[0] torchvision: it gives 1000 numbers; the data has 10 classes. Write num_classes = "auto".'
    ]


@pytest.mark.parametrize("name", ["alexnet", "mnasnet0_5", "squeezenet1_1"])
def test_images_of_any_size_are_refused_by_the_plan_where_the_model_refuses_them(name):
    torch.manual_seed(0)
    model = Backbone(name).eval()
    for side in (1, 16, 24, 70):
        planned, _ = traced(images(3, side, side), layer(name), AUTO)
        try:
            with torch.no_grad():
                output = model(torch.rand(1, 3, side, side))
        except (RuntimeError, ValueError):
            output = None
        wrong = [m for m in planned.mistakes if m.severity == "error"]
        assert (output is None) == bool(wrong), (side, wrong)
        assert output is None or planned.signal.shape == tuple(output.shape[1:])


def test_a_network_of_frozen_weights_alone_is_refused():
    pooled = [
        {"type": "Unflatten", "dim": 1, "unflattened_size": [1, 512]},
        {"type": "AdaptiveAvgPool1d", "output_size": 10},
    ]
    draft = read("resnet18-finetune")
    backbone = draft.experiment.model.layers[0].model_dump(exclude_none=True)
    model = Model.model_validate({"layers": [backbone, *pooled, "Flatten"]})
    (mistake,) = check(draft.experiment.model_copy(update={"model": model})).mistakes
    assert str(mistake).startswith(
        "model.layers[0].freeze torchvision: found true; no other layer has weights to train"
    )


def test_a_batch_of_one_is_refused_where_a_norm_inside_would_fail_on_it():
    odd = ["data.batch_size=1437", "model.layers[0].weights=none", "model.layers[0].freeze=false"]
    small = check(read("resnet18-finetune", [*odd, "model.layers[0].resize=32", "data.validation=0.2"]))
    assert any("leave a batch of 1; torchvision needs at least 2" in str(m) for m in small.mistakes)
    large = check(read("resnet18-finetune", [*odd, "model.layers[0].resize=64", "data.validation=0.2"]))
    assert large.ok


def test_an_initializer_of_the_model_leaves_a_backbone_alone_and_its_own_sets_it():
    start = {"type": "constant_", "val": 0.5}
    of_model = build(experiment(layer("squeezenet1_1"), AUTO, init=start), images(3, 32, 32))
    assert len(of_model[0].model.features[0].weight.unique()) > 100
    own = build(experiment(layer("squeezenet1_1", init=start), AUTO), images(3, 32, 32))
    assert own[0].model.features[0].weight.unique().tolist() == [0.5]
    assert not own[0].model.features[0].bias.any()
    assert said(images(3, 32, 32), layer("squeezenet1_1", init=start), AUTO) == []
    asked = ["model.layers[0].init=orthogonal_"]
    (mistake,) = check(read("resnet18-finetune", asked)).mistakes
    assert str(mistake).startswith("model.layers[0].init torchvision: found orthogonal_; the layer starts from")


def test_torchvision_is_imported_by_documents_that_ask_for_a_model_and_by_no_other():
    script = (
        "import sys\nfrom engine.catalog import catalog\nfrom engine.experiment import read\n"
        "from engine.plan import check\nfrom tui.printing.catalog import catalog_text\n"
        "assert check(read('digits-cnn')).ok\nassert catalog('layers')['torchvision'].parameters['name'].required\n"
        "assert 'torchvision' in catalog_text('layers', None)\n"
        "assert 'torchvision' not in sys.modules\n"
        "assert 'swin_v2_t' in catalog_text('layers', 'torchvision')\n"
        "assert 'torchvision' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "inception_v3", "maxvit_t", "resnet50", "vit_b_16"])
def test_every_set_of_weights_of_a_model_fits_the_model_that_is_built_for_it(name, monkeypatch):
    from torchvision.models import get_model

    # torchvision's own function says what it builds for the weights: the names and shapes that it loads.
    for weights in weight_names(name):
        built = []
        monkeypatch.setattr(nn.Module, "load_state_dict", lambda module, state, built=built: built.append(module))
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: {})
        with torch.device("meta"):
            get_model(name, weights=weights_member(name, weights))
        monkeypatch.undo()
        ours = Backbone(name, weights=weights, features=False, device="meta")
        shapes = {key: value.shape for key, value in built[0].state_dict().items()}
        helpers = {key for key in shapes if key.startswith(("aux", "AuxLogits"))}
        assert {key: value.shape for key, value in ours.model.state_dict().items()} == {
            key: shape for key, shape in shapes.items() if key not in helpers
        }
        assert getattr(built[0], "transform_input", None) == getattr(ours.model, "transform_input", None)
