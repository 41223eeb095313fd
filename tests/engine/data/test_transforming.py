import re

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as theirs

from engine.catalog import catalog
from engine.data import load_data
from engine.data.preparation import draws_of
from engine.data.preview import preview
from engine.data.samples import take
from engine.experiment import Data, Refused
from engine.experiment.draft import reads
from engine.plan import check

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (30, 3, 12, 10), dtype=np.uint8)


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, x=IMAGES, y=np.arange(30) % 3)
    return str(path)


def data(path, **more):
    return Data.model_validate({"source": "arrays", "path": path, **more})


def refusal(path, **more):
    with pytest.raises(Refused) as refused:
        load_data(data(path, **more), 0)
    return [str(mistake) for mistake in refused.value.mistakes]


def test_transforms_are_done_once_to_every_sample_and_bytes_stay_bytes(images):
    loaded = load_data(data(images, transforms=[{"type": "Resize", "size": [6, 6]}, "Grayscale"]), 0)
    expected = theirs.rgb_to_grayscale(theirs.resize(torch.from_numpy(IMAGES), [6, 6]))
    assert torch.equal(loaded.x[:], expected)
    assert loaded.description.input_shape == (1, 6, 6) and loaded.description.stored == "uint8"
    assert loaded.description.bytes == loaded.x.nbytes + loaded.y.nbytes
    assert len(loaded.learned["normalization"]["mean"]) == 1


def test_what_does_not_fit_is_transformed_whenever_it_is_read(images, monkeypatch):
    once = load_data(data(images, transforms=[{"type": "Pad", "padding": 2}]), 0)
    monkeypatch.setattr("engine.data.load.free_host_memory", lambda: 1000)
    lazily = load_data(data(images, transforms=[{"type": "Pad", "padding": 2}], validation=0.3), 0)
    assert not isinstance(lazily.x, torch.Tensor) and lazily.x.nbytes == once.x.nbytes
    some = torch.tensor([4, 1, 29])
    assert torch.equal(take(lazily.x, some), take(once.x, some)) and torch.equal(lazily.x[5], once.x[5])


def test_only_training_batches_are_augmented(images):
    loaded = load_data(data(images, augment=[{"type": "RandomHorizontalFlip", "p": 1.0}], normalize=False), 0)
    x = take(loaded.x, loaded.train)
    assert torch.equal(loaded.preparation(x, draws=draws_of(0, 1, 0)), x.flip(-1).float() / 255)
    assert torch.equal(loaded.preparation(x), x.float() / 255)
    assert torch.equal(loaded.inputs(loaded.train), x.float() / 255)


@pytest.mark.parametrize(
    "name",
    [
        "RandomResizedCrop",
        "RandomPerspective",
        "GaussianBlur",
        "RandAugment",
        "TrivialAugmentWide",
        "AutoAugment",
        "AugMix",
        "ElasticTransform",
        "RandomAutocontrast",
        "RandomPosterize",
        "RandomSolarize",
    ],
)
def test_torchvisions_others_are_applied_image_by_image(images, name):
    more = {
        "GaussianBlur": {"kernel_size": 3},
        "RandomPosterize": {"bits": 2},
        "RandomSolarize": {"threshold": 100},
        "ElasticTransform": {"sigma": 1.0, "alpha": 20.0},
    }
    loaded = load_data(data(images, augment=[{"type": name, **more.get(name, {})}]), 0)
    x = take(loaded.x, loaded.train) // 2  # not over the whole range: contrast can be stretched
    torch.manual_seed(0)
    (augmentation,) = loaded.preparation.augmentations
    changed = augmentation(x.repeat(4, 1, 1, 1))
    assert changed.dtype is torch.uint8 and changed.shape == (4 * len(x), 3, 12, 10)
    assert not torch.equal(changed[: len(x)], changed[len(x) : 2 * len(x)])  # each by a draw of its own


def test_every_wrong_name_and_parameter_is_said_at_once_before_anything_is_read():
    said = refusal(
        "nowhere.npz",
        transforms=["Resise", {"type": "CenterCrop"}],
        augment=[{"type": "RandomCrop", "paddin": 4}, {"type": "RandomErasing", "p": 2.0}],
    )
    assert [line.partition(":")[0] for line in said] == [
        "data.transforms[0].type", "data.transforms[1] CenterCrop", "data.augment[0].paddin",
        "data.augment[1].p RandomErasing",
    ]  # fmt: skip
    assert "Resize" in said[0]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"augment": ["WordDropout"]}, r"data.augment\[0\] WordDropout: it is for text; the data is images"),
        (
            {"augment": [{"type": "RandomCrop", "size": 8}]},
            r"size.*it outputs images of 8; validation images are 12×10.*Resize",
        ),
        ({"transforms": [{"type": "Pad", "padding": 30, "padding_mode": "reflect"}]}, r"cannot be applied to images"),
        ({"transforms": ["RandomCrop"]}, r"data.transforms\[0\].type"),
    ],
)
def test_what_does_not_suit_the_images_is_said_with_the_place_and_the_fix(images, more, says):
    assert re.search(says, "\n".join(refusal(images, **more)))


NEEDED = {
    "RandomCrop": {"padding": 2},
    "RandomRotation": {"degrees": 10}, "RandomAffine": {"degrees": 10}, "GaussianBlur": {"kernel_size": 3},
    "RandomPosterize": {"bits": 2}, "RandomSolarize": {"threshold": 100}, "ElasticTransform": {"sigma": 1.0},
    "RandomAdjustSharpness": {"sharpness_factor": 2.0}, "ColorJitter": {"brightness": 0.4},
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n, e in catalog("augmentations").items() if e.group == "images"])
def test_no_augmentation_draws_from_the_generator_of_a_run_and_each_follows_from_its_own(images, name):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    loaded = load_data(data(images, augment=[{"type": name, **NEEDED.get(name, {})}]), 0)
    x = take(loaded.x, loaded.train).repeat(3, 1, 1, 1) // 2
    first, again, other = (loaded.preparation(x, draws=draws_of(0, 1, batch)) for batch in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    if name not in ("RandomEqualize", "RandomErasing"):  # which do little to images as small as these
        assert not torch.equal(first, other)


def test_the_plan_sees_the_size_after_the_transforms_and_completes_their_parameters():
    plan = check(
        reads(
            '[data]\nsource = "digits"\ntransforms = [{type = "Pad", padding = 2}]\naugment = ["RandomErasing"]\n'
            '[model]\nlayers = ["Flatten", {type = "Linear", out_features = "auto"}]\n'
        )
    )
    assert plan.ok and plan.layers[0].output_shape == (144,)
    assert plan.experiment.data.augment[0].parameters["ratio"] == [0.3, 3.3]
    assert plan.experiment.data.transforms[0].parameters["padding_mode"] == "constant"


def test_pixels_that_a_backbone_standardises_itself_are_warned_of(images):
    text = (
        f'[data]\nsource = "arrays"\npath = "{images}"\n[model]\nlayers = [{{type = "torchvision", name = "resnet18", '
        'weights = "DEFAULT", features = true}, {type = "Linear", out_features = "auto"}]\n'
    )
    warned = [m for m in check(reads(text)).mistakes if m.path == "data.normalize"]
    assert [m.severity for m in warned] == ["warning"]
    assert not [m for m in check(reads(text, ["data.normalize=false"])).mistakes if m.path == "data.normalize"]


def test_a_preview_shows_the_samples_as_an_epoch_does(images):
    plain = preview(data(images), 0)
    flipped = preview(data(images, augment=[{"type": "RandomHorizontalFlip", "p": 1.0}]), 0)
    assert plain.augmented == () and plain.samples == flipped.samples
    for sample, image in zip(flipped.samples, flipped.augmented, strict=True):
        assert [row[::-1] for row in sample.image] == list(image)


def test_a_margin_that_no_memory_holds_is_refused_before_it_is_made(images):
    (said,) = refusal(images, transforms=[{"type": "Pad", "padding": 100_000}])
    assert said.startswith("data.transforms[0].padding Pad: found 100000")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"fold": "400/500"}, "data.fold: 500 folds leave no sample for this one; the source has 30."),
        ({"validation": 30}, "data.validation: 30 samples are requested; the source has 30."),
    ],
)
def test_parts_without_a_sample_are_refused(images, more, says):
    assert says in "\n".join(refusal(images, **more))


def test_draws_by_class_are_refused_where_there_are_no_classes():
    load_data(Data(source="diabetes"), 0)
    with pytest.raises(Refused, match=r"data\.sampler: balanced draws by class; the data is for regression"):
        load_data(Data(source="diabetes", sampler="balanced"), 0)  # even where the rest is remembered
