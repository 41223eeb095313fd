"""The kind of a file that should be text in UTF-8 and is not, and how to convert it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that is not text in UTF-8."""

    name: str
    fix: str
    """What to do, as a sentence."""


_AS_UTF8 = "Save it as UTF-8 text: iconv -f {0} -t UTF-8 FILE > NEW."
_TEXT = "Name the text file."
_UTF_16 = FileKind("UTF-16", _AS_UTF8.format("UTF-16"))
_KINDS = {
    codecs.BOM_UTF32_LE: FileKind("UTF-32", _AS_UTF8.format("UTF-32")),
    codecs.BOM_UTF32_BE: FileKind("UTF-32", _AS_UTF8.format("UTF-32")),
    codecs.BOM_UTF16_LE: _UTF_16,
    codecs.BOM_UTF16_BE: _UTF_16,
    b"\x1f\x8b": FileKind("gzip", "Unpack it: gunzip FILE."),
    b"PK\x03\x04": FileKind("zip", "Unpack it. If it is an Excel file, save it as CSV."),
    b"BZh": FileKind("bzip2", "Unpack it: bunzip2 FILE."),
    b"\xfd7zXZ\0": FileKind("xz", "Unpack it: unxz FILE."),
    b"\x28\xb5\x2f\xfd": FileKind("Zstandard", "Unpack it: unzstd FILE."),
    b"7z\xbc\xaf\x27\x1c": FileKind("7z", "Unpack it."),
    b"%PDF-": FileKind("PDF", "Save its text as UTF-8."),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": FileKind("an old Office document", "Save it as CSV or as UTF-8 text."),
    b"\x89PNG\r\n": FileKind("a PNG image", _TEXT),
    b"\xff\xd8\xff": FileKind("a JPEG image", _TEXT),
    b"PAR1": FileKind("Parquet", "Rename it to end in .parquet."),
    b"\x93NUMPY": FileKind("a NumPy array", _TEXT),
    b"\x89HDF\r\n": FileKind("HDF5", _TEXT),
    b"SQLite format 3\0": FileKind("an SQLite database", _TEXT),
}
"""By the first bytes of such a file."""
_HEAD = 64


def kind_of(content: bytes) -> FileKind | None:
    """The kind of a file by its first bytes; None for UTF-8 and for unknown kinds."""
    for mark, kind in _KINDS.items():
        if content.startswith(mark):
            return kind
    head = content[:_HEAD]
    # In English text in UTF-16 without a byte order mark, every second byte is 0.
    for zeros, letters in ((head[1::2], head[::2]), (head[::2], head[1::2])):
        if len(zeros) > 1 and not any(zeros) and all(letters):
            return _UTF_16
    return None
