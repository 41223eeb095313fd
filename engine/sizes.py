"""Amounts in words: memory, and shares of a whole."""


def size_text(bytes_: float) -> str:
    """Bytes to three digits, in the largest unit that leaves at least one before the point: `1.23 MB`."""
    for unit in ("B", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} GB"


def share_text(share: float) -> str:
    """A share in percent to two digits, never rounded to none or to all.

    >>> share_text(0.0), share_text(0.00001), share_text(0.374), share_text(0.9999), share_text(1.0)
    ('0 %', '0.01 %', '37 %', '99.99 %', '100 %')
    """
    percent = 100 * share
    if 0 < percent < 100:
        percent = min(max(percent, 0.01), 99.99)
        return f"{percent:.2g} %" if percent < 99.5 else f"{percent:.4g} %"
    return f"{percent:.0f} %"
