"""Augmentations of whole batches against torchvision's of single images, told to do the same."""

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as theirs

from engine.catalog import catalog
from engine.data import augmentation as ours
from engine.data.text import PADDING, UNKNOWN

generator = torch.Generator().manual_seed(0)
BYTES = torch.randint(0, 256, (12, 3, 14, 10), dtype=torch.uint8, generator=generator)
FLOATS = torch.rand(12, 3, 14, 10, generator=generator)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def matches(changed: torch.Tensor, images: torch.Tensor, *candidates) -> list[int]:
    """Which of the candidates each changed image is; every one is one of them."""
    found = []
    for one, image in zip(changed, images, strict=True):
        fits = [i for i, candidate in enumerate(candidates) if torch.equal(one, candidate(image))]
        assert fits
        found.append(fits[0])
    return found


@pytest.mark.parametrize("images", [BYTES, FLOATS], ids=["bytes", "floats"])
@pytest.mark.parametrize(
    ("made", "changes"),
    [
        (ours.RandomHorizontalFlip(), theirs.horizontal_flip),
        (ours.RandomVerticalFlip(), theirs.vertical_flip),
        (ours.RandomInvert(), theirs.invert),
    ],
)
def test_each_image_of_a_batch_is_changed_or_not_by_a_draw_of_its_own(images, made, changes) -> None:
    many = images.repeat(20, 1, 1, 1)
    done = matches(made(many), many, lambda image: image, changes)
    assert 90 <= sum(done) <= 150  # of 240: four standard errors about a half


def test_grey_is_torchvisions_to_the_rounding() -> None:
    grey = ours.RandomGrayscale(p=1.0)
    expected = theirs.rgb_to_grayscale(BYTES, num_output_channels=3)
    assert (grey(BYTES).int() - expected.int()).abs().max() <= 1
    torch.testing.assert_close(grey(FLOATS), theirs.rgb_to_grayscale(FLOATS, num_output_channels=3))


@pytest.mark.parametrize(("mode", "padding"), [("constant", 3), ("edge", [1, 2]), ("reflect", [1, 2, 3, 4])])
def test_a_crop_is_a_piece_of_torchvisions_padded_image(mode, padding) -> None:
    changed = ours.RandomCrop([14, 10], padding, fill=7, padding_mode=mode)(BYTES)
    padded = theirs.pad(BYTES, padding, fill=7, padding_mode=mode)
    places = set()
    for one, image in zip(changed, padded, strict=True):
        found = [
            (top, left)
            for top in range(image.shape[1] - 13)
            for left in range(image.shape[2] - 9)
            if torch.equal(one, image[:, top : top + 14, left : left + 10])
        ]
        assert found
        places.add(found[0])
    assert len(places) > 4


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill", [0.0, 99.0])
def test_turned_shifted_and_leant_images_are_torchvisions(interpolation, fill) -> None:
    angle, scale = torch.tensor([0.0, 30.0, -75.5]), torch.tensor([1.0, 0.8, 1.3])
    shift, shear = torch.tensor([[0.0, 0.0], [2.0, -1.0], [-3.0, 1.0]]), torch.tensor([0.0, 10.0, -20.0])
    found = ours.warped(BYTES[:3].float(), angle, shift, scale, shear, interpolation=interpolation, fill=fill)
    ones = torch.ones(3, 1, 14, 10)
    inside = ours.warped(ones, angle, shift, scale, shear, interpolation="bilinear", fill=0.0)[:, 0]
    for i in range(3):
        expected = theirs.affine(
            BYTES[i].float(),
            angle=-float(angle[i]),
            translate=shift[i].int().tolist(),
            scale=float(scale[i]),
            shear=[float(shear[i]), 0.0],
            interpolation=v2.InterpolationMode(interpolation),
            fill=[fill],
        )
        # At the very edge torchvision takes the share that lies outside off twice.
        alike = ((found[i] - expected).abs() < 0.05)[:, (inside[i] < 1e-4) | (inside[i] > 1 - 1e-4)]
        # A pixel on the line between two is taken from either by the last bit.
        assert alike.numel() > 250 and alike.float().mean() > 0.98


def test_angles_lie_evenly_between_their_bounds() -> None:
    mark = torch.zeros(400, 1, 33, 33)
    mark[:, :, 16, 26:32] = 1
    turned = ours.RandomRotation(40.0, interpolation="bilinear")(mark)
    rows, columns = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    mass = turned[:, 0].sum((1, 2))
    y, x = ((turned[:, 0] * axis).sum((1, 2)) / mass - 16 for axis in (rows, columns))
    degrees = torch.atan2(-y, x).rad2deg()
    assert degrees.min() > -41 and degrees.max() < 41
    assert degrees.mean().abs() < 5 and degrees.std() == pytest.approx(80 / 12**0.5, rel=0.1)


def test_a_blot_has_the_area_and_the_proportions_that_are_asked_for() -> None:
    images = torch.ones(300, 2, 40, 40)
    erased = ours.RandomErasing(p=0.5, scale=(0.1, 0.2), ratio=(0.5, 2.0), value=0.0)(images)
    blots = [(one[0] == 0).nonzero() for one in erased]
    done = [blot for blot in blots if len(blot)]
    assert 110 <= len(done) <= 190
    for blot in done:
        height, width = (blot.max(0).values - blot.min(0).values + 1).tolist()
        assert height * width == len(blot)  # a rectangle, whole
        assert 0.08 <= len(blot) / 1600 <= 0.23 and 0.4 <= height / width <= 2.5
    assert torch.equal(erased[:, 0], erased[:, 1])


def test_brightness_contrast_and_saturation_are_torchvisions_for_the_factor_that_was_drawn() -> None:
    for name, adjust in (
        ("brightness", theirs.adjust_brightness),
        ("contrast", theirs.adjust_contrast),
        ("saturation", theirs.adjust_saturation),
    ):
        torch.manual_seed(3)
        changed = ours.ColorJitter(**{name: (0.5, 1.5)})(FLOATS)
        torch.manual_seed(3)
        factors = torch.empty(12).uniform_(0.5, 1.5)
        for one, image, factor in zip(changed, FLOATS, factors.tolist(), strict=True):
            torch.testing.assert_close(one, adjust(image, factor), atol=1e-4, rtol=0)
        bytes_ = ours.ColorJitter(**{name: 0.4})(BYTES)
        assert bytes_.dtype is torch.uint8 and bytes_.shape == BYTES.shape


def test_word_dropout_leaves_padding_and_drops_its_share() -> None:
    tokens = torch.randint(2, 50, (200, 30), generator=generator)
    tokens[:, 20:] = PADDING
    dropped = ours.WordDropout(p=0.25)(tokens)
    assert torch.equal(dropped[:, 20:], tokens[:, 20:])
    changed = dropped != tokens
    assert (dropped[changed] == UNKNOWN).all()
    assert changed[:, :20].float().mean() == pytest.approx(0.25, abs=0.03)


def test_noise_and_factors_have_the_spread_that_is_asked_for() -> None:
    series = torch.full((500, 20, 3), 2.0)
    noise = ours.Jitter(std=0.1)(series) - series
    assert noise.std() == pytest.approx(0.1, rel=0.03) and noise.mean().abs() < 0.01
    factors = ours.Scaling(std=0.2)(series) / series
    assert torch.equal(factors[:, :1].expand_as(factors), factors)  # one for each feature of a sample
    assert factors[:, 0].std() == pytest.approx(0.2, rel=0.1)


def test_what_is_drawn_follows_from_torchs_seed() -> None:
    for name, entry in catalog("augmentations").items():
        if not entry.signature_of or entry.group != "images":
            continue
        required = {"degrees": 10} if "degrees" in entry.parameters and entry.parameters["degrees"].required else {}
        made = getattr(ours, name)(**required | ({"size": [14, 10], "padding": 2} if name == "RandomCrop" else {}))
        results = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            results.append(made(BYTES))
        assert torch.equal(results[0], results[1]), name
        assert results[0].shape == BYTES.shape and results[0].dtype is torch.uint8
        if name != "ColorJitter":  # without factors it does nothing
            torch.manual_seed(99)
            assert not torch.equal(made(BYTES.repeat(9, 1, 1, 1)), BYTES.repeat(9, 1, 1, 1)), name


def test_strides_of_channels_that_come_last_give_the_same_numbers() -> None:
    last = BYTES.contiguous(memory_format=torch.channels_last)
    for made in (ours.RandomHorizontalFlip(), ours.RandomCrop([14, 10], 2), ours.RandomAffine(20, shear=5)):
        torch.manual_seed(5)
        usual = made(BYTES)
        torch.manual_seed(5)
        assert torch.equal(made(last), usual)
