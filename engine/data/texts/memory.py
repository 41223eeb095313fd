"""How much memory texts may take while they are read."""

BYTES_PER_BYTE = 12
"""Memory that a byte of text takes at most: as bytes, as Python's string, and as the number of its token."""
