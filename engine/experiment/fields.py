"""What the sections of a document are made of: sections, choices from the catalog, and sizes of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Ge(0), Lt(1)]
HoldoutSize = Fraction | Annotated[int, Ge(1)]
"""Size of a validation or test part: below 1 a share of the samples, from 1 on a number of them."""


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a field whose value is a name in the catalog, and says of which kind."""

    kind: str


class Part(BaseModel):
    """A section of the document. It is frozen; unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Choice(BaseModel):
    """An entry of the catalog and its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    type: Annotated[str, Field(description="Its name in the catalog, which is torch's name.")]

    @model_validator(mode="before")
    @classmethod
    def _bare_string_is_a_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, without the fields that are declared here."""
        return dict(self.__pydantic_extra__ or {})
