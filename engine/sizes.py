"""Amounts of memory in words."""


def size_text(bytes_: float) -> str:
    """Bytes to three digits, in the largest unit that leaves at least one before the point: `1.23 MB`."""
    for unit in ("B", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} GB"
