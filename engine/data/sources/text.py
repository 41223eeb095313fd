"""Your own texts with labels: rows of a file, or a folder with a folder of .txt files for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from engine.data.description import Task
from engine.data.sources.source import Source
from engine.data.sources.table import Columns as Names
from engine.data.sources.table import Delimiter
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, drop
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split
    from engine.data.texts.load import Wanted

TextColumn = Annotated[str, Field(min_length=1, description="The column that holds the texts.")]
LabelColumn = Annotated[str, Field(min_length=1, description="The column that holds the label of each text.")]


class Tokenised(Source):
    """A source of texts that become numbers of tokens."""

    only_task: ClassVar[Task | None] = "classification"

    tokens: Annotated[
        Literal["word", "character", "bpe"],
        Field(
            description="word: words in lower case, numbers and marks. character: each as it stands. bpe: pieces of "
            "words, merged from characters by how often they stand together (byte-pair encoding)."
        ),
    ] = "word"
    vocabulary_size: Annotated[
        int, Field(ge=3, le=1_000_000, description="Most tokens that get a number, padding and unknown among them.")
    ] = 20_000
    min_count: Annotated[
        int, Field(ge=1, description="Times that a token must occur in the training part to get a number.")
    ] = 2
    max_length: Annotated[
        int, Field(ge=1, le=100_000, description="Tokens of a text that are kept, from its start.")
    ] = 256
    bucket: Annotated[
        bool, Field(description="Make batches of texts of like length: less padding, and less to compute.")
    ] = True

    def _wanted(self) -> Wanted:
        from engine.data.texts.load import Wanted

        return Wanted(
            tokens=self.tokens,
            vocabulary_size=self.vocabulary_size,
            min_count=self.min_count,
            max_length=self.max_length,
            bucket=self.bucket,
        )


class Text(Tokenised):
    """A folder holds class folders, or folders train, val and test of them, which then are the parts.

    The vocabulary is learned from the training part, and kept with the run.
    """

    name: ClassVar[str] = "text"
    summary: ClassVar[str] = "Texts of your own with labels: a CSV, TSV, JSON lines or Parquet file, or class folders."
    when: ClassVar[str] = "To tell texts apart: reviews, messages, headlines."
    columns: ClassVar[tuple[str, ...]] = ("text", "target", "group")

    path: Annotated[
        str, Field(min_length=1, description="The file of rows, or the folder that the class folders of .txt lie in.")
    ]
    validation_path: Annotated[
        str | None,
        Field(min_length=1, description="A file whose rows are the validation part; `validation` is not used then."),
    ] = None
    test_path: Annotated[str | None, Field(min_length=1, description="A file whose rows are the test part.")] = None
    text: TextColumn = "text"
    target: LabelColumn = "label"
    group: Annotated[
        str | None, Field(description="A column: rows in which it is equal stay together in one part.")
    ] = None
    classes: Annotated[Names, Field(description="Labels, or class folders, to take; left out, all.")] = ()
    exclude: Annotated[
        Names,
        Field(description="Of a folder, the folders to leave out wherever they lie: by name, or by path below it."),
    ] = ()
    delimiter: Delimiter = "auto"
    on_broken: Annotated[
        Literal["refuse", "skip"],
        Field(description="refuse: say which texts cannot be used, and do nothing. skip: say it, and leave them out."),
    ] = "refuse"

    def contradictions(self, data: Data) -> list[Mistake]:
        """Columns and files that a folder does not have."""
        if not expanded(self.path).is_dir():
            mistakes = same_column(self.text, self.target, self.group)
            if self.exclude:
                found, fix = "it is for folders", "Remove it; data.classes says which labels to take."
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
                f"{value!r} is for files of rows",
                f"{self.path} is a folder",
                f"Remove {name}; folders train, val and test in it are its parts.",
            )
            for name, value in given.items()
            if value is not None
        ]

    def files(self) -> tuple[str, ...]:
        """All files that rows come from; of a folder, it and two levels below it."""
        if expanded(self.path).is_dir():
            from engine.data.images.folder import watched

            return watched(self.path)
        return tuple(filter(None, (self.path, self.validation_path, self.test_path)))

    def load(self, split: Split) -> Dataset:
        """Tokens (T,), padded with 0 behind, and the number of the class."""
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
        return data_set(self.name, found, self._wanted(), split)


def same_column(text: str, target: str, group: str | None) -> list[Mistake]:
    """The mistakes of naming one column for two of texts, labels and groups."""
    named = {"target": target} | ({"group": group} if group is not None else {})
    seen = {text: "text"}
    mistakes = []
    for field, name in named.items():
        if name in seen:
            found = f"{name!r} is data.{seen[name]} too"
            mistakes.append(Mistake(f"data.{field}", found, "expected another column", "Name another."))
        seen.setdefault(name, field)
    return mistakes
