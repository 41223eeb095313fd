"""The data sources by the names that they have in a document. Importing this loads neither numpy nor torch."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.data.sources.arrays import Arrays
from engine.data.sources.characters import Characters, PythonReference
from engine.data.sources.digits import Digits
from engine.data.sources.digits_rgb import DigitsRGB
from engine.data.sources.huggingface import HuggingFace
from engine.data.sources.images import Images
from engine.data.sources.mackey_glass import MackeyGlass
from engine.data.sources.scikit_learn_tables import BreastCancer, Diabetes, Wine
from engine.data.sources.series import Series
from engine.data.sources.source import Source
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
SOURCES: Mapping[str, type[Source]] = MappingProxyType({source.name: source for source in _EVERY})


def source_of_file(name: str) -> type[Source] | None:
    """The source that reads a file, by how its name ends; None where that says nothing."""
    return next((source for source in _EVERY if name.lower().endswith(source.endings)), None)


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
    "source_of_file",
]
