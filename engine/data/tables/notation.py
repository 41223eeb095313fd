"""Notations of numbers: marks of thousands and decimals, signs, a currency, a unit.

N values.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MINUS = r"\-−–"
"""Hyphen, minus sign (U+2212) and en dash, for a character class of a regular expression."""
SPACES = " \u00a0\u2007\u2008\u2009\u202f"
_MARKS = {"": "", ",": ",", ".": r"\.", " ": f"[{SPACES}]", "'": "['’]", "_": "_"}
GROUPINGS = tuple(_MARKS)
DECIMALS = (".", ",")
PERCENT = "%"

# Negative numbers in accounting: (5) or 5-. `19,-` is a price of 19, not -19.
_INSIDE = rf"[^()+{MINUS}]*[0-9][^()+{MINUS}]*?"
_PARENTHESES = rf"^([^0-9()+{MINUS}]*)\(\s*({_INSIDE})\s*\)\s*([^0-9()+{MINUS}]*)$"
_MINUS_BEHIND = rf"^([^()+{MINUS}]*[0-9][^()+{MINUS}.,]*?)\s*[{MINUS}]$"


@dataclass(frozen=True)
class Notation:
    """A notation of numbers. The default is that of most programming languages: 1234.5."""

    grouping: str = ""
    """The mark between thousands; empty for none."""
    decimal: str = "."
    currency: str = ""
    """A symbol or code before or after every number."""
    unit: str = ""
    """The unit after every number, without a plural s."""

    @property
    def mark(self) -> str:
        """The mark between thousands as a regular expression."""
        return _MARKS[self.grouping]

    def explains(self, texts: pl.Series) -> Bools:
        """(N,) whether each text is a number in this notation. The texts come from `plain_signs`."""
        found = texts.str.contains(self.pattern)
        for affix in filter(None, (self.currency, self.unit)):
            found &= texts.str.contains(escaped(affix))
        return found.fill_null(False).to_numpy().astype(np.bool_)

    def numbers(self, texts: pl.Series) -> Floats:
        """(N,) the numbers of stripped texts, NaN for other texts."""
        if self == Notation():
            values = texts.cast(pl.Float64, strict=False)
            if values.null_count() == texts.null_count():
                return _floats(values)
            other = texts.filter(values.is_null())
            return _with_values(_floats(values), values.is_null().to_numpy(), self._read(plain_signs(other)))
        return self._read(plain_signs(texts))

    def as_dict(self) -> dict[str, str]:
        """The values that differ from the default, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Notation(), name)}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Notation:
        """The notation from the result of `as_dict`."""
        return cls(**given)

    def _read(self, texts: pl.Series) -> Floats:
        explained = self.explains(texts)
        if not self.currency and not self.unit:
            # Most numbers can be parsed directly; only the others are taken apart.
            values = _floats(self._as_programs_write(texts).cast(pl.Float64, strict=False))
            values[~explained] = np.nan
            other = explained & np.isnan(values)
            return (
                _with_values(values, other, self._taken_apart(texts.filter(pl.Series(other))))
                if other.any()
                else values
            )
        values = self._taken_apart(texts)
        values[~explained] = np.nan
        return values

    def _as_programs_write(self, texts: pl.Series) -> pl.Series:
        if self.grouping in (",", ".", "_"):
            texts = texts.str.replace_all(self.grouping, "", literal=True)
        elif self.grouping:
            texts = texts.str.replace_all(self.mark, "")
        return texts.str.replace(self.decimal, ".", literal=True) if self.decimal != "." else texts

    def _taken_apart(self, texts: pl.Series) -> Floats:
        """The numbers of texts that fit this notation."""
        core = self._as_programs_write(texts.str.extract(self.pattern, 1)).str.replace("−", "-", literal=True)
        values = _floats(core.cast(pl.Float64, strict=False))
        negative = texts.str.contains(rf"^[^0-9]*[{MINUS}]").fill_null(False).to_numpy()
        values[negative] *= -1
        return values

    @cached_property
    def pattern(self) -> str:
        """A regular expression with one group: the number without its sign and its affixes."""
        group, point = _MARKS[self.grouping], _MARKS[self.decimal]
        wholes = ["[0-9]+"]
        if group:
            wholes.insert(0, f"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+")
        if group == ",":  # as in India: 12,34,567
            wholes.insert(1, "[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")
        number = f"(?:(?:{'|'.join(wholes)})(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+−-]?[0-9]+)?"
        sign = rf"[+{MINUS}]\s*"
        before, behind = f"(?:{sign})?", ""
        if self.currency:
            currency = escaped(self.currency)
            before = rf"(?:{sign}(?:{currency}\s*)?|{currency}\s*(?:{sign})?)?"
            behind = rf"\s*(?:{currency})?"
        if self.unit:
            behind = rf"\s*{escaped(self.unit)}{'s?' if len(self.unit) > 1 and self.unit.isalpha() else ''}{behind}"
        return f"^{before}({number}){behind}$"


PLAIN = Notation()


def plain_signs(texts: pl.Series) -> pl.Series:
    """Normalize stripped texts: (5) and 5- become -5, and digits and percent signs of any script become ASCII."""
    if texts.str.contains(r"[\p{Nd}％٪--0-9]").any():
        texts = texts.str.replace_many(_ascii_signs())
    if not texts.str.contains(rf"[)]|[{MINUS}]$").any():
        return texts
    return texts.str.replace(_PARENTHESES, "-${1}${2}${3}").str.replace(_MINUS_BEHIND, "-${1}")


@cache
def _ascii_signs() -> dict[str, str]:
    every = map(chr, range(sys.maxunicode + 1))
    digits = {sign: str(unicodedata.decimal(sign)) for sign in every if sign.isdecimal() and not sign.isascii()}
    return digits | {"％": PERCENT, "٪": PERCENT}


def escaped(text: str) -> str:
    """A text as a regular expression in which any space matches any others."""
    return r"\s+".join(map(re.escape, text.split()))


def value_text(value: float) -> str:
    """A number for a sentence: 98500, 1.27."""
    return f"{value:.15g}"


def _floats(values: pl.Series) -> Floats:
    return values.fill_null(float("nan")).to_numpy().astype(np.float64)


def _with_values(values: Floats, where: Bools, others: Floats) -> Floats:
    values[where] = others
    return values
