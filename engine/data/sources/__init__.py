"""The data sources by their names in a document. Importing them loads neither numpy nor torch."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.data.source import Source
from engine.data.sources.arrays import Arrays
from engine.data.sources.characters import Characters, PythonReference
from engine.data.sources.huggingface import HuggingFace
from engine.data.sources.images import Images
from engine.data.sources.mackey_glass import MackeyGlass
from engine.data.sources.scikit_learn import BreastCancer, Diabetes, Digits, DigitsRGB, Wine
from engine.data.sources.series import Series
from engine.data.sources.stdlib_docs import StdlibDocs
from engine.data.sources.table import Table
from engine.data.sources.text import Text
from engine.data.sources.torchvision_sets import TORCHVISION_SETS

_EVERY: tuple[type[Source], ...] = (
    Digits,
    DigitsRGB,
    BreastCancer,
    Wine,
    Diabetes,
    MackeyGlass,
    StdlibDocs,
    PythonReference,
    Characters,
    Arrays,
    Images,
    Table,
    Series,
    Text,
    HuggingFace,
    *TORCHVISION_SETS,
)
_BY_NAME: dict[str, type[Source]] = {source.name: source for source in _EVERY}
SOURCES: Mapping[str, type[Source]] = MappingProxyType(_BY_NAME)


def register(source: type[Source]) -> None:
    """Add a source at run time. Catalog, check, `--set`, form and training use it like the built-in ones.

    Raises:
        ValueError: there is a source of that name.
    """
    if source.name in _BY_NAME:
        raise ValueError(f"there is already a data source {source.name!r}")
    _BY_NAME[source.name] = source


def unregister(name: str) -> None:
    """Remove a source that `register` added."""
    if name not in {source.name for source in _EVERY}:
        _BY_NAME.pop(name, None)


def source_of_file(name: str) -> type[Source] | None:
    """The source that reads a file, by the ending of its name; None if no source has that ending."""
    return next((source for source in SOURCES.values() if name.lower().endswith(source.endings)), None)


__all__ = [
    "SOURCES",
    "Arrays",
    "BreastCancer",
    "Characters",
    "Diabetes",
    "Digits",
    "DigitsRGB",
    "HuggingFace",
    "Images",
    "MackeyGlass",
    "PythonReference",
    "Series",
    "Source",
    "StdlibDocs",
    "Table",
    "Text",
    "Wine",
    "register",
    "source_of_file",
    "unregister",
]
