"""Labelled texts: rows of a file, or a folder of .txt files for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from engine.data.description import Task
from engine.data.source import Source
from engine.data.tables.settings import Columns as Names
from engine.data.tables.settings import Delimiter
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, drop
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split
    from engine.data.texts.load import TokenSettings

TextColumn = Annotated[str, Field(min_length=1, description="The column with the texts.")]
LabelColumn = Annotated[str, Field(min_length=1, description="The column with the label of each text.")]


class Tokenised(Source):
    """The base class of sources of texts that are tokenised."""

    only_task: ClassVar[Task | None] = "classification"

    tokens: Annotated[
        Literal["word", "character", "bpe"],
        Field(
            description="word: words in lower case, numbers and punctuation. character: single characters. bpe: pieces "
            "of words, merged from characters by frequency (byte-pair encoding)."
        ),
    ] = "word"
    vocabulary_size: Annotated[
        int,
        Field(
            ge=3, le=1_000_000, description="Maximum number of tokens in the vocabulary, including padding and unknown."
        ),
    ] = 20_000
    min_count: Annotated[
        int,
        Field(ge=1, description="Minimum count of a token in the training part; rarer ones become the unknown token."),
    ] = 2
    max_length: Annotated[
        int, Field(ge=1, le=100_000, description="Maximum number of tokens of a text; the rest is cut.")
    ] = 256
    bucket: Annotated[
        bool, Field(description="Put texts of similar length into one batch, which reduces padding and computation.")
    ] = True

    def _token_settings(self) -> TokenSettings:
        from engine.data.texts.load import TokenSettings

        return TokenSettings(
            tokens=self.tokens,
            vocabulary_size=self.vocabulary_size,
            min_count=self.min_count,
            max_length=self.max_length,
            bucket=self.bucket,
        )


class Text(Tokenised):
    """A folder contains class folders, or folders train, val and test of them, which are the parts then.

    The vocabulary is learned from the training part and saved with the run.
    """

    name: ClassVar[str] = "text"
    summary: ClassVar[str] = "Your own labelled texts: a CSV, TSV, JSON lines or Parquet file, or class folders."
    when: ClassVar[str] = "To classify texts: reviews, messages, headlines."
    columns: ClassVar[tuple[str, ...]] = ("text", "target", "group")

    path: Annotated[
        str, Field(min_length=1, description="The file of rows, or the folder with the class folders of .txt files.")
    ]
    validation_path: Annotated[
        str | None,
        Field(min_length=1, description="A file whose rows are the validation part; `validation` is not used then."),
    ] = None
    test_path: Annotated[str | None, Field(min_length=1, description="A file whose rows are the test part.")] = None
    text: TextColumn = "text"
    target: LabelColumn = "label"
    group: Annotated[str | None, Field(description="A column: rows with equal values stay together in one part.")] = (
        None
    )
    classes: Annotated[Names, Field(description="Labels, or class folders, to use; left out, all.")] = ()
    exclude: Annotated[
        Names,
        Field(description="In a folder, the folders to leave out at any depth: by name, or by path below it."),
    ] = ()
    delimiter: Delimiter = "auto"
    on_broken: Annotated[
        Literal["refuse", "skip"],
        Field(description="refuse: report texts that cannot be used, and stop. skip: report them, and leave them out."),
    ] = "refuse"

    def contradictions(self, data: Data) -> list[Mistake]:
        """Parameters that do not apply to a folder or to a file."""
        if not expanded(self.path).is_dir():
            mistakes = same_column(self.text, self.target, self.group)
            if self.exclude:
                found, fix = "it applies to folders", "Remove it; data.classes selects labels."
                mistakes.append(Mistake("data.exclude", found, f"{self.path} is a file", fix, remedy=drop()))
            return mistakes
        given: dict[str, Any] = {
            "validation_path": self.validation_path,
            "test_path": self.test_path,
            "group": self.group,
        }
        return [
            Mistake(
                f"data.{name}",
                f"{value!r} applies to files of rows",
                f"{self.path} is a folder",
                f"Remove {name}; folders train, val and test in it are its parts.",
            )
            for name, value in given.items()
            if value is not None
        ]

    def files(self) -> tuple[str, ...]:
        """All files that rows come from; for a folder, it and two levels below it."""
        if expanded(self.path).is_dir():
            from engine.data.images.folder import watched

            return watched(self.path)
        return tuple(filter(None, (self.path, self.validation_path, self.test_path)))

    def load(self, split: Split) -> Dataset:
        """Tokens (T,), padded with 0 at the end, and the number of the class."""
        from engine.data.texts.folders import from_folder
        from engine.data.texts.load import data_set
        from engine.data.texts.tables import Columns, from_files

        recorded = split.recorded.classes
        if expanded(self.path).is_dir():
            found = from_folder(self.path, self.classes, self.exclude, recorded)
        else:
            columns = Columns(
                text=self.text, target=self.target, group=self.group, classes=self.classes, recorded=recorded
            )
            found = from_files((self.path, self.validation_path, self.test_path), columns, self.delimiter)
        found.settle("data.path", skip=self.on_broken == "skip")
        return data_set(self.name, found, self._token_settings(), split)


def same_column(text: str, target: str, group: str | None) -> list[Mistake]:
    """The mistakes of one column in two roles of text, target and group."""
    named = {"target": target} | ({"group": group} if group is not None else {})
    seen = {text: "text"}
    mistakes = []
    for field, name in named.items():
        if name in seen:
            found = f"{name!r} is data.{seen[name]} too"
            mistakes.append(Mistake(f"data.{field}", found, "expected another column", "Name another."))
        seen.setdefault(name, field)
    return mistakes
