"""Labelled texts of a dataset on the Hugging Face Hub."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.sources.text import LabelColumn, TextColumn, Tokenised, same_column
from engine.data.tables.settings import Columns as Names
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake
from engine.user_folders import NO_HOME, expanded, home

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

SplitName = Annotated[str, Field(min_length=1)]


class HuggingFace(Tokenised):
    """Requires pip install torchdeck[huggingface]. The dataset is downloaded once, to the cache of `datasets`.

    Splits that are not named are drawn from the training split.
    """

    name: ClassVar[str] = "huggingface"
    summary: ClassVar[str] = "Labelled texts of a dataset on the Hugging Face Hub."
    when: ClassVar[str] = "To train on a published text dataset: stanfordnlp/imdb, fancyzhx/ag_news."

    columns: ClassVar[tuple[str, ...]] = ("text", "target", "group")

    path: Annotated[
        str,
        Field(min_length=1, description="Name on the Hub, as user/name; or a folder of Parquet or of save_to_disk."),
    ]
    config: Annotated[str | None, Field(description="The configuration of the dataset, if it has several.")] = None
    train_split: Annotated[SplitName, Field(description="The training split.")] = "train"
    validation_split: Annotated[
        SplitName | None, Field(description="The split that is the validation part; `validation` is not used then.")
    ] = None
    test_split: Annotated[SplitName | None, Field(description="The split that is the test part.")] = None
    text: TextColumn = "text"
    target: LabelColumn = "label"
    group: Annotated[str | None, Field(description="A column: rows with equal values stay together in one part.")] = (
        None
    )
    classes: Annotated[Names, Field(description="Labels to use; left out, all.")] = ()
    on_broken: Annotated[
        Literal["refuse", "skip"],
        Field(description="refuse: report texts that cannot be used, and stop. skip: report them, and leave them out."),
    ] = "refuse"

    def contradictions(self, data: Data) -> list[Mistake]:
        """The same column in two roles."""
        return same_column(self.text, self.target, self.group)

    def homeless(self) -> list[Mistake]:
        """A download needs HF_HOME, XDG_CACHE_HOME or the home folder."""
        placed = os.environ.get("HF_HOME") or os.environ.get("XDG_CACHE_HOME") or home()
        if placed or expanded(self.path).is_dir():
            return []
        found = f"there is no folder to download to: {NO_HOME}"
        return [Mistake("data.path", found, "", "Set HF_HOME to a folder.")]

    def files(self) -> tuple[str, ...]:
        """The folder, if `path` is one."""
        return (self.path,) if expanded(self.path).is_dir() else ()

    def load(self, split: Split) -> Dataset:
        """Tokens (T,), padded with 0 at the end, and the number of the class."""
        from engine.data.texts.hub import from_hub
        from engine.data.texts.load import data_set
        from engine.data.texts.tables import Columns

        columns = Columns(
            text=self.text,
            target=self.target,
            group=self.group,
            classes=self.classes,
            recorded=split.recorded.classes,
        )
        splits = (self.train_split, self.validation_split, self.test_split)
        found = from_hub(self.path, self.config, splits, columns)
        found.settle("data.path", skip=self.on_broken == "skip")
        return data_set(self.name, found, self._token_settings(), split)
