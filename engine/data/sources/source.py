"""What every data source is: a declaration of its parameters, and the way from them to samples."""

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
    """A data source: its fields are the parameters that stand in [data] beside `source`.

    The modules of sources import numpy and torch inside `load` only, so that forms, help and checks of a document
    know every parameter without them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: ClassVar[str]
    summary: ClassVar[str]
    """One sentence on what the samples are."""
    when: ClassVar[str]
    """One sentence on when to use it."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Fields that name columns of files: `é` typed in one way is the column `é` of a file that has it in another."""
    endings: ClassVar[tuple[str, ...]] = ()
    """How the names of files end that are read by this source, whatever stands in them."""

    only_task: ClassVar[Task | None] = None
    """What its samples are always for; None where that is for the samples, or the document, to say."""

    @field_validator("*")
    @classmethod
    def _in_one_form(cls, value: Any, field: ValidationInfo) -> Any:
        if field.field_name not in cls.columns:
            return value
        return tuple(map(one_form, value)) if isinstance(value, tuple) else value and one_form(value)

    def contradictions(self, data: Data) -> list[Mistake]:
        """Mistakes that no parameter has alone, found without loading anything."""
        return []

    def files(self) -> tuple[str, ...]:
        """Files and folders that the samples come from: what was read is read again when one of them has changed."""
        path = getattr(self, "path", None)
        return (path,) if isinstance(path, str) else ()

    def to_download(self) -> str:
        """A sentence on what has to be downloaded before anything can be loaded; empty where all is here."""
        return ""

    def fetch(self) -> None:
        """Download what is missing.

        Raises:
            Refused: it cannot be had.
        """

    def outline(self, split: Split) -> Dataset:
        """What the samples will be, as far as it is known while they are missing: a few, and the description of all."""
        raise NotImplementedError(f"{self.name} is never missing")

    @classmethod
    def at_hand(cls) -> bool:
        """Whether its samples are there without a file of the person's and without a download."""
        return "path" not in cls.model_fields

    def homeless(self) -> list[Mistake]:
        """What cannot be downloaded because this user has no home folder to put it in."""
        return []

    @abstractmethod
    def load(self, split: Split) -> Dataset:
        """The samples, parted as `split` says. Nothing of the other parts reaches what is learned from the first.

        Raises:
            Refused: what the parameters ask for cannot be had.
        """
