"""Amounts as text: bytes and shares."""


def size_text(bytes_: float) -> str:
    """Bytes with three digits, in the largest unit that gives at least 1: `1.23 MB`."""
    for unit in ("B", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} GB"


def share_text(share: float) -> str:
    """A share in percent with two digits, rounded neither to 0 % nor to 100 %.

    >>> share_text(0.0), share_text(0.00001), share_text(0.374), share_text(0.9999), share_text(1.0)
    ('0 %', '0.01 %', '37 %', '99.99 %', '100 %')
    """
    percent = 100 * share
    if 0 < percent < 100:
        percent = min(max(percent, 0.01), 99.99)
        return f"{percent:.2g} %" if percent < 99.5 else f"{percent:.4g} %"
    return f"{percent:.0f} %"
