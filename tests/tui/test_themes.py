"""Colours are readable, and colours that distinguish also differ in lightness."""

from __future__ import annotations

from itertools import combinations

import pytest
from textual.color import Color
from textual.theme import Theme

from tui.preferences.themes import ANSI, DARK, LIGHT, PLAIN

CURVES = {"train": "primary", "validation": "accent", "best": "success", "error": "error"}
"""What tones.tcss colours curves and marks with."""


def luminance(color: Color) -> float:
    """The relative luminance of WCAG 2.2."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lightness(color: Color) -> float:
    """L* of CIELAB, 0 to 100."""
    y = luminance(color)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def color(theme: Theme, name: str) -> Color:
    value = theme.variables.get(name) or getattr(theme, name.replace("-", "_"))
    return Color.parse(value)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_every_text_contrasts_with_its_background(theme: Theme) -> None:
    texts = ("foreground", "primary", "secondary", "accent", "success", "warning", "error", "muted")
    pairs = [(text, ground) for text in texts for ground in ("background", "surface", "panel")]
    pairs += [
        ("block-cursor-foreground", "block-cursor-background"),
        ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
        ("footer-key-foreground", "footer-background"),
        ("footer-description-foreground", "footer-background"),
        ("background", "accent"),
    ]
    faint = {pair: round(contrast(color(theme, pair[0]), color(theme, pair[1])), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_curves_differ_in_lightness(theme: Theme) -> None:
    tones = {name: lightness(color(theme, variable)) for name, variable in CURVES.items()}
    apart = {(one, other): round(abs(tones[one] - tones[other]), 1) for one, other in combinations(tones, 2)}
    assert {pair: difference for pair, difference in apart.items() if difference < 5} == {}, tones


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_the_focused_frame_differs_in_lightness(theme: Theme) -> None:
    frames = [color(theme, name) for name in ("border", "border-blurred")]
    assert contrast(*frames) >= 2


@pytest.mark.parametrize("theme", [ANSI, PLAIN], ids=lambda theme: theme.name)
def test_the_terminals_own_colours_stay_its_own(theme: Theme) -> None:
    named = {
        value
        for value in (theme.primary, theme.accent, theme.foreground, theme.background, theme.success, theme.error)
        if value is not None
    }
    assert all(value.startswith("ansi_") for value in named)
