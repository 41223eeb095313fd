"""Text for character-level language models: of a file, or Python's own language reference."""

from __future__ import annotations

import ast
import platform
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.source import Source
from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.file_kinds import kind_of
from engine.free_memory import free_host_memory
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class _Text(Source):
    """A long text, cut into windows."""

    window: Annotated[int, Field(ge=2, le=100_000, description="Characters in one window.")] = 128
    stride: Annotated[
        int | None,
        Field(ge=1, description="Characters from the start of one window to the next; one window if left out."),
    ] = None
    min_count: Annotated[
        int,
        Field(
            ge=1, description="Minimum count of a character in the training part; rarer ones become the unknown token."
        ),
    ] = 1
    temperature: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="Sampling temperature of the text generated after each epoch: 0 always takes the likeliest "
            "character, 1 samples from the predicted probabilities.",
        ),
    ] = 0.7

    def _loaded(self, text: str, split: Split, path: str) -> Dataset:
        from engine.data.language import characters

        return characters(
            self.name,
            text,
            split,
            window=self.window,
            stride=self.stride or self.window,
            min_count=self.min_count,
            temperature=self.temperature,
            path=path,
        )


class Characters(_Text):
    """The whole text is read, as UTF-8."""

    name: ClassVar[str] = "characters"
    summary: ClassVar[str] = "Your own text file, to learn which character comes next."
    when: ClassVar[str] = "To see a recurrent network learn to write, from a text of a megabyte or so."

    path: Annotated[str, Field(min_length=1, description="The text file, in UTF-8.")]

    def load(self, split: Split) -> Dataset:
        """Windows (T=window,) of characters, and the next character at each position."""
        from engine.data.sources.characters import read_text

        return self._loaded(read_text(self.path), split, self.path)


class PythonReference(_Text):
    """Python Software Foundation: The Python Language Reference; all topics of `help()`, one after another."""

    name: ClassVar[str] = "python-reference"
    summary: ClassVar[str] = "The running Python's own language reference, to learn which character comes next."
    when: ClassVar[str] = "To see a network learn to write English and code, without a download."

    def files(self) -> tuple[str, ...]:
        """The file of the standard library that contains the text."""
        return (str(_topics_file()),)

    def load(self, split: Split) -> Dataset:
        """Windows (T=window,) of characters, and the next character at each position."""
        loaded = self._loaded(_reference(), split, str(_topics_file()))
        note = f"The text is that of Python {platform.python_version()}; other versions differ a little."
        notes = (note, *loaded.description.notes)
        return replace(loaded, description=replace(loaded.description, notes=notes))


def _topics_file() -> Path:
    return Path(sysconfig.get_path("stdlib")) / "pydoc_data" / "topics.py"


def _reference() -> str:
    """The text of every topic. The file is parsed and never executed.

    Raises:
        Refused: this Python does not contain the file.
    """
    file = _topics_file()
    try:
        for statement in ast.parse(file.read_bytes()).body:
            match statement:
                case ast.Assign(value=ast.Dict() as topics) | ast.AnnAssign(value=ast.Dict() as topics):
                    texts = ast.literal_eval(topics)
                    return "\n".join(str(text).strip("\n") + "\n" for text in texts.values())
    except (OSError, SyntaxError, ValueError):
        pass
    raise Refused(
        Mistake(
            "data.source",
            f"this Python has no language reference at {file}",
            "",
            "Use a Python that has it, or the source characters with your own text.",
        )
    )


BYTES_PER_BYTE = 24
"""Largest memory per byte of text while it is read, including numbers and windows."""


def read_text(path: str, at: str = "data.path") -> str:
    """Read the whole text of a file, without a byte order mark.

    Raises:
        Refused: the file is missing, not regular, too large for memory, empty, or not UTF-8.
    """
    file = expanded(path)

    def refused(found: str, expected: str, fix: str) -> Refused:
        return Refused(Mistake(at, found, expected, fix, subject=path))

    try:
        if file.is_dir():
            raise refused("it is a folder", "expected a text file", "Name a file in it.")
        if file.exists() and not file.is_file():
            raise refused("it is a device or a pipe", "expected a text file", "Name a regular file.")
        size, room = file.stat().st_size, free_host_memory() // BYTES_PER_BYTE
        if size > room:
            found = f"it has {size / 1e9:.1f} GB"
            raise refused(found, f"memory suffices for a text of {room / 1e9:.1f} GB", "Use a part of it.")
        content = file.read_bytes()
    except FileNotFoundError:
        like = nearest(file.name, (f.name for f in file.parent.glob("*"))) if file.parent.is_dir() else None
        fix = f"Did you mean {file.with_name(like)}?" if like else f"Correct the path; it starts at {Path.cwd()}."
        raise refused("there is no such file", "", fix) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise refused(f"it cannot be read ({why})", "", "Check the file and its permissions.") from None
    if (kind := kind_of(content)) is not None:
        raise refused(f"it is {kind.name}", "expected text in UTF-8", kind.fix)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start:,} (line {line:,}) is {content[error.start]:#04x}, which is not UTF-8"
        raise refused(found, "expected text in UTF-8", "Save it as UTF-8 text.") from None
    if not text.strip():
        raise refused("it contains no text", "", "Name a file with text.")
    return text
