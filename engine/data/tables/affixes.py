"""Prefixes and suffixes of a number in a text: a currency, a percent sign, a unit of measurement."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from engine.data.tables.notation import MINUS, SPACES

_CURRENCY_WORDS = (
    "USD EUR GBP JPY CNY RMB CHF CAD AUD NZD SEK NOK DKK ISK PLN CZK HUF RON BGN TRY RUB UAH INR PKR BDT LKR IDR MYR "
    "SGD HKD TWD KRW THB PHP VND BRL ARS CLP COP MXN PEN ZAR NGN KES EGP MAD ILS SAR AED BTC DM TL KR KČ ZŁ FT LEI ЛВ "
    "РУБ RS RS. FR FR. KR. SFR. ZL"
)
CURRENCIES = frozenset(_CURRENCY_WORDS.split())
"""Codes and abbreviations in upper case. Unicode's currency symbols are recognised in addition."""
_UNIT_WORDS = (
    "% ‰ mm cm dm m km in ft yd mi nm µm μm mm² cm² m² km² m2 m3 cm3 mm3 m³ cm³ ha ac sqm sqft sqm. mg g kg t lb lbs "
    "oz ml cl dl l L cc gal ns ms s sec min h hr hrs hour hours day days week weeks month months year years yr yrs K "
    "°C °F C F W kW MW GW kWh Wh MWh V mV kV A mA Ah mAh Hz kHz MHz GHz B KB kB MB GB TB PB bit Mbps Gbps km/h mph "
    "m/s kph mpg rpm hp PS bhp Pa hPa kPa MPa bar psi atm N Nm J kJ MJ cal kcal dB dBm k M Mio Mrd bn mn pcs"
)
UNITS = frozenset(_UNIT_WORDS.split())
"""Units that are recognised even if a column mixes several of them."""
_TIME_WORDS = "am pm a.m p.m jan feb mar apr may jun jul aug sep sept oct nov dec"
_TIMES = frozenset(_TIME_WORDS.split())
"""Words after a number of a time of day or a date."""
_DECIMALS = re.compile("[0-9][.,][0-9]")
_MARKS = rf"[.,'’_{SPACES}]"
_NUMBER = re.compile(
    rf"(?:[+{MINUS}]\s*)?(?P<before>[^\W\d_]{{0,3}}\.?[^\w\s.,;:#/\\()\[\]{{}}<>=≤≥~≈*'’+{MINUS}]?\s*)?(?:[+{MINUS}]\s*)?"
    rf"(?:[0-9](?:[0-9]|{_MARKS}(?=[0-9]|{_MARKS}[0-9]))*[.,]?|[.,][0-9]+)(?:[eE][+−-]?[0-9]+)?"
    rf"\s*(?P<behind>(?:/\s*)?[^\d\s.,;:/\\()\[\]'’_+{MINUS}](?:[^\d,()\[\]]{{0,22}}[^\d,()\[\]{MINUS}+])?[23]?)?"
)


@dataclass(frozen=True, slots=True)
class Affixes:
    """The currency and the unit of a number; empty if it has none."""

    currency: str = ""
    unit: str = ""

    def is_known(self, texts: Iterable[str]) -> bool:
        """Whether it is a known currency or unit of measurement.

        A single letter counts only if some texts have decimals: 1A and 1B may be school classes.
        """
        if self.unit.isalpha() and len(self.unit) == 1 and not self.currency:
            return self.unit in UNITS and any(_DECIMALS.search(text) and affixes_of(text) is not None for text in texts)
        return bool(self.currency) or self.unit in UNITS or f"{self.unit}s" in UNITS

    def __str__(self) -> str:
        return self.unit or self.currency


def affixes_of(text: str) -> Affixes | None:
    """Find the affixes of the number in a text with plain signs; None if the text is not a number.

    >>> affixes_of("1,050.00 €"), affixes_of("150 cm"), affixes_of("Bonn")
    (Affixes(currency='€', unit=''), Affixes(currency='', unit='cm'), None)
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    before, behind = (" ".join((found[place] or "").split()) for place in ("before", "behind"))
    currency = ""
    if before:
        if not is_currency(before):
            return None
        currency = before
    if behind and not currency:
        head, _, last = behind.rpartition(" ")
        if is_currency(behind):
            currency, behind = behind, ""
        elif head and is_currency(last):
            currency, behind = last, head
    elif behind == currency:
        behind = ""
    if behind.lower().rstrip(".") in _TIMES:
        return None
    return Affixes(currency, singular(behind))


def singular(unit: str) -> str:
    """A unit without the plural s."""
    return unit[:-1] if len(unit) > 2 and unit.isalpha() and unit.endswith("s") and not unit.endswith("ss") else unit


def is_currency(text: str) -> bool:
    """Whether a text is a currency symbol, a code, or letters and a symbol: US$."""
    return text.upper() in CURRENCIES or (
        unicodedata.category(text[-1]) == "Sc" and (len(text) == 1 or (text[:-1].isalpha() and len(text) <= 3))
    )
