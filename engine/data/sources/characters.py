"""Text to learn to go on with, character by character: of a person's file, or Python's own language reference."""

from __future__ import annotations

import ast
import platform
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.sources.source import Source
from engine.experiment.mistakes import Mistake, Refused

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class _Text(Source):
    """A long text, cut into windows."""

    window: Annotated[int, Field(ge=2, le=100_000, description="Characters that the network sees at once.")] = 128
    stride: Annotated[
        int | None,
        Field(ge=1, description="Characters from the start of one window to that of the next; a window if left out."),
    ] = None
    min_count: Annotated[
        int, Field(ge=1, description="Times that a character must occur in the training part to get a number.")
    ] = 1
    temperature: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="How freely text is drawn from the network after each epoch: 0 always takes the likeliest "
            "character, 1 draws by its probabilities.",
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
    """The text is read whole, as UTF-8."""

    name: ClassVar[str] = "characters"
    summary: ClassVar[str] = "A text file of your own, to learn which character comes next."
    when: ClassVar[str] = "To see a recurrent network learn to write, from a text of a megabyte or so."

    path: Annotated[str, Field(min_length=1, description="The text file, in UTF-8.")]

    def load(self, split: Split) -> Dataset:
        """Windows (T=window,) of characters, and the next character of each place."""
        from engine.data.text_file import read_text

        return self._loaded(read_text(self.path), split, self.path)


class PythonReference(_Text):
    """Python Software Foundation: The Python Language Reference; as `help()` shows it, a topic after the other."""

    name: ClassVar[str] = "python-reference"
    summary: ClassVar[str] = "The running Python's own language reference, to learn which character comes next."
    when: ClassVar[str] = "To see a network learn to write English and code, without a download."

    def files(self) -> tuple[str, ...]:
        """The file of the standard library that has the text."""
        return (str(_topics_file()),)

    def load(self, split: Split) -> Dataset:
        """Windows (T=window,) of characters, and the next character of each place."""
        loaded = self._loaded(_reference(), split, str(_topics_file()))
        note = f"The text is that of Python {platform.python_version()}; other versions differ a little."
        notes = (note, *loaded.description.notes)
        return replace(loaded, description=replace(loaded.description, notes=notes))


def _topics_file() -> Path:
    return Path(sysconfig.get_path("stdlib")) / "pydoc_data" / "topics.py"


def _reference() -> str:
    """Every topic's text; the file is parsed, never run.

    Raises:
        Refused: this Python has no such file.
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
            f"this Python has no language reference in {file}",
            "",
            "Train with a Python that has it, or use the source characters with a text of yours.",
        )
    )
