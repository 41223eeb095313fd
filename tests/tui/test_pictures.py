"""The pictures of the parts of an experiment, compared as text, and never larger than their area."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_previews import images, texts
from rich.cells import cell_len
from screen_text import assert_golden

from engine.devices import DeviceInfo
from engine.experiment import Draft, read
from engine.plan import Plan, check
from engine.plan.planned_rates import PlannedRates
from engine.plan.precision_choices import PrecisionChoice
from tui.pictures import Findings, Look, look, picture
from tui.rows.design import PARTS
from tui.services.producer import Producer

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 60

PRESETS = ("digits-cnn", "mackey-glass-lstm", "stdlib-docs-lstm", "mlp-breast-cancer")
SIZES = ((34, 16), (84, 30))
PLAIN = Look(colour=False)
LOOKS = (Look(), PLAIN, Look(marker="ascii", colour=False))

DEVICES = (
    DeviceInfo(
        device="cuda:0",
        name="NVIDIA H100 80GB HBM3",
        memory_bytes=85_000_000_000,
        free_bytes=62_300_000_000,
        precisions=("float32", "bfloat16", "float16"),
        note="compute capability 9.0",
    ),
    DeviceInfo(
        device="cpu",
        name="AMD EPYC 9R14",
        memory_bytes=25_300_000_000,
        free_bytes=None,
        precisions=("float32", "bfloat16"),
        note="2 cores",
    ),
)
PRECISIONS = (
    PrecisionChoice(amp="auto", chosen=True, precision="float32", says="float32 throughout"),
    PrecisionChoice(amp="off", chosen=False, precision="float32", says="float32 throughout"),
    PrecisionChoice(
        amp="bfloat16",
        chosen=False,
        precision="bfloat16",
        says="the forward pass in bfloat16: faster where layers are large",
    ),
    PrecisionChoice(amp="float16", chosen=False, precision=None, says="refused: float16 overflows on the cpu"),
)


@cache
def planned(preset: str, *overrides: str) -> tuple[Draft, Plan, dict[str, Findings]]:
    """The document, plan and findings of a preset, equal on every machine and with every Python."""
    draft = read(preset, ["training.device=cpu", *overrides])
    plan = check(draft)
    plan = replace(plan, memory_bytes=12_300_000)
    if preset == "stdlib-docs-lstm":
        plan = replace(plan, lr=PlannedRates(plan.experiment, 37), steps_per_epoch=37)
    producer = Producer()
    parts = [part for part in PARTS if not (part == "data" and preset == "stdlib-docs-lstm")]
    found = {part: producer.findings(part, plan) for part in parts}
    found["device"] = Findings(devices=DEVICES, precisions=PRECISIONS)
    found.setdefault("data", Findings(preview=texts()))
    return draft, plan, found


def drawn(preset: str, part: str, width: int, height: int, how: Look = PLAIN, *overrides: str) -> str:
    draft, plan, found = planned(preset, *overrides)
    return picture(part, draft, plan, width, height, findings=found[part], look=how).plain


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("preset", PRESETS)
def test_pictures_of_a_preset(preset: str, size: tuple[int, int]) -> None:
    parts = ("data", "loss", "scheduler", "regularization")
    text = "\n\n".join(f"[{part}]\n{drawn(preset, part, *size)}" for part in parts)
    assert_golden(f"pictures-{preset}-{size[0]}x{size[1]}", "\n".join(map(str.rstrip, text.splitlines())) + "\n")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures_of_devices_and_of_training(size: tuple[int, int]) -> None:
    text = "\n\n".join(f"[{part}]\n{drawn('digits-cnn', part, *size)}" for part in ("device", "training"))
    assert_golden(f"pictures-devices-{size[0]}x{size[1]}", "\n".join(map(str.rstrip, text.splitlines())) + "\n")


def test_without_braille_curves_and_bars_are_drawn_in_ascii() -> None:
    text = "\n\n".join(
        f"[{part}]\n{drawn('digits-cnn', part, 60, 24, LOOKS[2])}" for part in ("data", "loss", "scheduler", "device")
    )
    assert not any(0x2580 <= ord(c) <= 0x259F or 0x2800 <= ord(c) <= 0x28FF for c in text)
    assert_golden("pictures-ascii-60x24", "\n".join(map(str.rstrip, text.splitlines())) + "\n")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    preset=st.sampled_from(PRESETS),
    part=st.sampled_from(list(PARTS)),
    width=st.integers(0, 110),
    height=st.integers(0, 45),
    how=st.sampled_from(LOOKS),
    known=st.booleans(),
)
def test_a_picture_is_never_larger_than_its_area(
    preset: str, part: str, width: int, height: int, how: Look, known: bool
) -> None:
    draft, plan, found = planned(preset)
    content = picture(
        part,
        draft,
        plan if known else None,
        width,
        height,
        findings=found[part] if known else Findings(),
        look=how,
    )
    lines = content.plain.split("\n") if content.plain else []
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("size", [(30, 6), (100, 40)])
def test_every_part_but_the_model_has_a_picture_at_any_size(size: tuple[int, int]) -> None:
    for preset in PRESETS:
        for part in PARTS:
            assert bool(drawn(preset, part, *size)) == (part != "model"), (preset, part)


def test_pictures_exist_without_a_plan_and_for_a_plan_with_mistakes() -> None:
    draft = read("digits-cnn", ["optimizer.lr=-1", "data.source=nothing", "loss.label_smoothing=7"])
    plan = check(draft)
    producer = Producer()
    for part in PARTS:
        found = producer.findings(part, plan)
        assert picture(part, draft, plan, 60, 20, findings=found).plain or part == "model"
        assert picture(part, draft, None, 60, 20).plain or part == "model"
    assert "fixed" in picture("scheduler", draft, plan, 60, 20).plain


def test_the_look_depends_on_theme_and_terminal() -> None:
    assert look("torchdeck-dark", {"TERM": "xterm-256color"}) == Look()
    assert look("torchdeck-ansi", {"TERM": "xterm"}) == Look(colour=False)
    assert look("torchdeck-dark", {"TERM": "xterm", "NO_COLOR": "1"}) == Look(colour=False)
    assert look("torchdeck-ansi", {"TERM": "linux"}) == Look(marker="ascii", colour=False)


def test_half_blocks_have_the_colours_of_their_two_pixels() -> None:
    draft, plan, found = planned("digits-cnn")
    content = picture("data", draft, plan, 60, 22, findings=found["data"])
    preview = found["data"].preview
    assert preview is not None
    image = preview.samples[0].image
    begin = content.plain.index("▀")
    first = next(span for span in content.spans if span.start == begin)
    style = first.style
    assert not isinstance(style, str) and style.foreground is not None and style.background is not None
    assert (style.foreground.r, style.background.r) == (image[0][0], image[1][0])


@pytest.mark.parametrize("shape", [(1, 300, 20), (3, 20, 300), (5, 1, 1), (3, 64, 64)])
@pytest.mark.parametrize("how", LOOKS)
def test_images_of_any_shape_fit(shape: tuple[int, int, int], how: Look) -> None:
    draft, plan, _ = planned("digits-cnn")
    made = Findings(preview=images(*shape))
    for width, height in ((30, 6), (60, 20), (100, 40)):
        text = picture("data", draft, plan, width, height, findings=made, look=how).plain
        lines = text.split("\n")
        assert len(lines) <= height and max(map(cell_len, lines)) <= width
        assert "left" in text


def test_a_light_pixel_is_a_dense_shade() -> None:
    draft, plan, _ = planned("digits-cnn")
    text = picture("data", draft, plan, 80, 24, findings=Findings(preview=images(1, 8, 16)), look=PLAIN).plain
    row = next(line for line in text.split("\n") if "█" in line and "░" in line)
    one = row[:16]
    assert one == "".join(sorted(one, key=" ░▒▓█".index))


def test_escape_sequences_in_the_data_are_shown_and_not_sent() -> None:
    draft, plan, _ = planned("digits-cnn")
    evil = "a\x1b[2J\nb\tc\x9b"
    words = tuple((label, f"{evil.replace(' ', '')} text") for label in (evil, "other") for _ in range(4))
    for made in (texts(words), images(1, 8, 8, (evil, "other"))):
        text = picture("data", draft, plan, 80, 30, findings=Findings(preview=made)).plain
        assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in text)
        assert "␛[2J" in text


def test_unbalanced_classes_are_described_with_a_fix() -> None:
    draft, plan, _ = planned("mlp-breast-cancer")
    uneven = Findings(preview=texts())
    text = picture("data", draft, plan, 90, 40, findings=uneven).plain.replace("\n", " ")
    assert "tkinter has 3.0 times as many samples as asyncio" in text
    assert "Always predicting tkinter is right for 50.0 %" in text
    assert 'loss.pos_weight = "balanced" corrects for it' in text


LINES: dict[str, Callable[[str], bool]] = {
    "scheduler={type='ReduceLROnPlateau', patience=3}": lambda text: (
        "depends on val_loss" in text and "After 3 epochs" in text and "multiplied by 0.1" in text
    ),
    "scheduler={type='CosineAnnealingLR', warmup_epochs=3, eta_min=1e-3}": lambda text: (
        "Warm-up (dashed): linear from 0 in 69 steps" in text and "log scale" not in text
    ),
    "scheduler={type='OneCycleLR'}": lambda text: "highest 3e-3 in epoch 9" in text and "log scale" not in text,
    "scheduler={type='ExponentialLR', gamma=0.7}": lambda text: "log scale" in text,
    "optimizer.groups=[{layers=[0, 'BatchNorm2d'], lr=1e-4}]": lambda text: (
        "all other layers: highest 3e-3" in text and "0, BatchNorm2d: highest 1e-4" in text
    ),
    "optimizer.no_bias_decay=true": lambda text: "all other" not in text and "highest 3e-3 in epoch 1" in text,
    "optimizer={type='Muon', lr=0.02, others={type='AdamW', lr=2e-3}}": lambda text: (
        "hidden matrices: highest 0.02" in text.replace("2e-2", "0.02") and "all else: highest 2e-3" in text
    ),
    "scheduler=none": lambda text: "A constant rate" in text and "3e-3 at every step" in text,
}


@pytest.mark.parametrize("override", LINES)
def test_schedules_are_described(override: str) -> None:
    text = drawn("digits-cnn", "scheduler", 90, 24, PLAIN, override)
    assert LINES[override](text.replace("\n", " ")), text


def test_sequences_of_many_features_are_drawn_as_images_over_time() -> None:
    draft, plan, found = planned("digits-lstm")
    text = picture("data", draft, plan, 84, 30, findings=found["data"], look=PLAIN).plain
    assert "time to the right, features downwards" in text
    preview = found["data"].preview
    assert preview is not None
    first_features = preview.samples[0].series[0]
    assert set(first_features) == {0.0}, "the left edge of a digit is white"
    assert not text.split("\n")[3][:16].strip(), "and so is the upper edge of its picture"
