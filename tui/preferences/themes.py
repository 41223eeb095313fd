"""The colours of the deck. Colours that must be distinguished also differ in lightness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

from tui.terminal.app import COLOURLESS_THEME
from tui.terminal.kind import terminal_kind

DARK = Theme(
    name="torchdeck-dark",
    primary="#7FB4CA",
    secondary="#74A091",
    accent="#E6B673",
    foreground="#D3D7DE",
    background="#14171C",
    surface="#1A1E25",
    panel="#222832",
    success="#BCE39D",
    warning="#E6B673",
    error="#E8707A",
    dark=True,
    variables={
        "muted": "#8F98A5",
        "border": "#7FB4CA",
        "border-blurred": "#3A424F",
        "block-cursor-background": "#2F4A5C",
        "block-cursor-foreground": "#FFFFFF",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#242B36",
        "block-cursor-blurred-foreground": "#D3D7DE",
        "block-hover-background": "#1F252E",
        "footer-background": "#1A1E25",
        "footer-key-foreground": "#E6B673",
        "footer-description-foreground": "#AEB6C2",
        "scrollbar": "#3A424F",
        "scrollbar-hover": "#566173",
        "scrollbar-active": "#7FB4CA",
        "scrollbar-background": "#14171C",
        "scrollbar-background-hover": "#14171C",
        "scrollbar-background-active": "#14171C",
        "scrollbar-corner-color": "#14171C",
    },
)

LIGHT = Theme(
    name="torchdeck-light",
    primary="#0F4161",
    secondary="#3F6B5B",
    accent="#8A5A00",
    foreground="#22272E",
    background="#FAFAF7",
    surface="#F1F1EC",
    panel="#E6E6DF",
    success="#265618",
    warning="#8A5A00",
    error="#A8222E",
    dark=False,
    variables={
        "muted": "#5F666F",
        "border": "#22607D",
        "border-blurred": "#C4C6C0",
        "block-cursor-background": "#C9DFEA",
        "block-cursor-foreground": "#101418",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#E9E9E2",
        "block-cursor-blurred-foreground": "#22272E",
        "block-hover-background": "#EFEFE9",
        "footer-background": "#F1F1EC",
        "footer-key-foreground": "#8A5A00",
        "footer-description-foreground": "#4A5059",
        "scrollbar": "#C4C6C0",
        "scrollbar-hover": "#9AA09A",
        "scrollbar-active": "#22607D",
        "scrollbar-background": "#FAFAF7",
        "scrollbar-background-hover": "#FAFAF7",
        "scrollbar-background-active": "#FAFAF7",
        "scrollbar-corner-color": "#FAFAF7",
    },
)

ANSI = Theme(
    name="torchdeck-ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_blue",
    accent="ansi_yellow",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    dark=True,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "muted": "dim",
        "border": "ansi_cyan",
        "border-blurred": "ansi_bright_black",
        "block-cursor-background": "ansi_cyan",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "ansi_default",
        "block-cursor-blurred-foreground": "ansi_cyan",
        "block-cursor-blurred-text-style": "bold",
        "footer-key-foreground": "ansi_yellow",
        "footer-description-foreground": "ansi_default",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_bright_black",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
    },
)
"""The terminal's own 16 colours, light or dark like the terminal."""

PLAIN = replace(
    ANSI,
    name=COLOURLESS_THEME,
    variables={
        **ANSI.variables,
        "block-cursor-background": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-text-style": "bold underline",
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-text-style": "underline",
    },
)
"""No colours: the cursor is underlined, and bold in the focused panel."""

THEMES = {"dark": DARK, "light": LIGHT, "the terminal's colours": ANSI, "no colours": PLAIN}

VARIABLES = {"muted": "dim"}
"""Additional variables, for themes that do not set them. `muted` is a text style, not a colour."""


CALLED = {"dark": DARK.name, "light": LIGHT.name, "terminal": ANSI.name, "none": PLAIN.name}
"""The names of the themes in the settings."""


def theme_name(environ: Mapping[str, str], chosen: str = "auto", last: str = "") -> str:
    """Return the theme to start with: without colours if NO_COLOR is set (no-color.org) or TERM has none; otherwise
    the theme of the settings, or else the last theme.

    On a terminal with 16 colours the default is the terminal's own colours, and a last theme with more colours is not
    used. A terminal has more than 16 colours if TERM (`…-256color`, `…-direct`) or COLORTERM (`truecolor`, `24bit`)
    says so.

    Args:
        chosen: the value in the settings.
        last: the name of the theme that was used last.
    """
    if environ.get("NO_COLOR") is not None or not terminal_kind(environ).colours:
        return PLAIN.name
    if chosen in CALLED:
        return CALLED[chosen]
    more = environ.get("COLORTERM", "").lower() in ("truecolor", "24bit", "yes", "1")
    term = environ.get("TERM", "")
    if more or term.endswith(("256color", "-direct", "kitty", "ghostty")):
        return last or DARK.name
    return last if last in (ANSI.name, PLAIN.name) else ANSI.name
