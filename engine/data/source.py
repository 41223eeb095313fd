"""The base class of data sources: a declaration of parameters, and how they become samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from engine.data.description import Task
from engine.data.words import one_form
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class Source(BaseModel, ABC):
    """A data source. Its fields are the parameters in [data] next to `source`.

    Modules of sources import numpy and torch only inside `load`, so that forms, help and checks of a document do not
    need them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: ClassVar[str]
    summary: ClassVar[str]
    """One sentence on what the samples are."""
    when: ClassVar[str]
    """One sentence on when to use it."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Fields that name columns of files; their values are normalized, so that `é` matches in any Unicode form."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Endings of file names that this source reads."""

    only_task: ClassVar[Task | None] = None
    """Its task, if it has only one; None if samples or document decide."""

    @field_validator("*")
    @classmethod
    def _normalize_column_names(cls, value: Any, field: ValidationInfo) -> Any:
        if field.field_name not in cls.columns:
            return value
        return tuple(map(one_form, value)) if isinstance(value, tuple) else value and one_form(value)

    def contradictions(self, data: Data) -> list[Mistake]:
        """Mistakes between parameters, found without loading data."""
        return []

    def files(self) -> tuple[str, ...]:
        """Files and folders that the samples depend on; if one of them changes, the data is loaded again."""
        path = getattr(self, "path", None)
        return (path,) if isinstance(path, str) else ()

    def to_download(self) -> str:
        """A sentence that describes the necessary download; empty if nothing is missing."""
        return ""

    def fetch(self) -> None:
        """Download what is missing.

        Raises:
            Refused: the download failed.
        """

    def outline(self, split: Split) -> Dataset:
        """What is known of samples before they are downloaded: a few placeholders and the description of all."""
        raise NotImplementedError(f"{self.name} is never missing")

    @classmethod
    def at_hand(cls) -> bool:
        """Whether its samples are available without a file of the user's and without a download."""
        return "path" not in cls.model_fields

    def homeless(self) -> list[Mistake]:
        """The mistakes of a download that has no folder, since the user has no home folder."""
        return []

    @abstractmethod
    def load(self, split: Split) -> Dataset:
        """Load the samples and split them by `split`. Everything that is learned is learned from the training part.

        Raises:
            Refused: the data cannot be loaded with these parameters.
        """
