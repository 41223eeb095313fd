"""Numbers for people: shapes, bytes, floating-point operations, rates and durations."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size


def shape_text(shape: tuple[int, ...] | None) -> str:
    """Return a shape without its batch dimension: `16×8×8`.

    >>> shape_text((16, 8, 8)), shape_text(None)
    ('16×8×8', '')
    """
    return "×".join(map(str, shape)) if shape else ""


def scaled_text(value: float, unit: str) -> str:
    """Return a value with the decimal prefix that leaves at most three digits before the point.

    >>> scaled_text(412_300_000, "B"), scaled_text(18_346, "FLOP"), scaled_text(12, "B")
    ('412 MB', '18.3 kFLOP', '12 B')
    """
    prefixes = ["", "k", "M", "G", "T"]
    while abs(value) >= 999.5 and len(prefixes) > 1:
        value /= 1000
        del prefixes[0]
    digits = 0 if prefixes[0] == "" or abs(value) >= 99.95 else 1
    return f"{value:.{digits}f} {prefixes[0]}{unit}"


def number_text(value: float | None) -> str:
    """Return a number with four significant digits; empty for None.

    >>> number_text(0.073123), number_text(0.98), number_text(None), number_text(math.nan)
    ('0.07312', '0.98', '', 'NaN')
    """
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else {True: "NaN"}.get(math.isnan(value), f"{value:+.0f}")


def rate_text(rate: float) -> str:
    """Return a learning rate with at most three digits.

    >>> rate_text(3e-3), rate_text(4.5e-4), rate_text(0.0)
    ('3e-3', '4.5e-4', '0')
    """
    if not math.isfinite(rate) or rate == 0:
        return number_text(rate)
    mantissa, exponent = f"{rate:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def span_text(seconds: float) -> str:
    """Return a duration: `0:07`, `12:30`, `3:05:00`.

    >>> span_text(7.4), span_text(750), span_text(11_100)
    ('0:07', '12:30', '3:05:00')
    """
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago_text(then: float, now: float) -> str:
    """Return how long ago a time was, in one unit.

    >>> ago_text(0, 20), ago_text(0, 200), ago_text(0, 7300), ago_text(0, 200_000)
    ('just now', '3 min ago', '2 h ago', '2 days ago')
    """
    seconds = max(0.0, now - then)
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    days = int(seconds // 86400)
    return f"{days} day{'s' if days > 1 else ''} ago"


def shortened(text: str, width: int) -> str:
    """Shorten `text` in the middle to at most `width` cells: its end often distinguishes it.

    >>> shortened("2026-11-23T16-15-30-digits-cnn-2", 17)
    '2026-11-…ts-cnn-2'
    """
    if cell_len(text) <= width:
        return text
    if width < 2:
        return set_cell_size(text, width)
    head = set_cell_size(text, width // 2).rstrip()
    tail, room = "", width - cell_len(head) - 1
    for letter in reversed(text):
        if cell_len(letter + tail) > room:
            break
        tail = letter + tail
    return f"{head}…{tail}"


def left(text: str, width: int) -> str:
    """Return `text` aligned to the left in `width` cells; a longer text ends in an ellipsis."""
    if cell_len(text) > width > 0:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


def right(text: str, width: int) -> str:
    """Return `text` aligned to the right in `width` cells; a longer text ends in an ellipsis."""
    if cell_len(text) >= width:
        return left(text, width)
    return " " * (width - cell_len(text)) + text
