"""The catalog of what can be chosen: torch's own classes, read by introspection, each with advice on when to use it.

One file per kind declares its entries. Importing this package and listing names and summaries does not import torch;
reading the parameters of an entry does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from engine.catalog.entry import Entry, Parameter
from engine.experiment.mistakes import Refused, unknown_name

KINDS = (
    "layers",
    "losses",
    "optimizers",
    "schedulers",
    "initializers",
    "transforms",
    "augmentations",
    "regularizers",
    "metrics",
)

SINGULAR = {
    "layers": "a layer",
    "losses": "a loss",
    "optimizers": "an optimizer",
    "schedulers": "a scheduler",
    "initializers": "an initializer",
    "transforms": "a transform",
    "augmentations": "an augmentation",
    "regularizers": "a regularizer",
    "metrics": "a metric",
}

__all__ = ["KINDS", "SINGULAR", "Entry", "Parameter", "catalog", "find", "register", "unregister"]


@cache
def catalog(kind: str) -> Mapping[str, Entry]:
    """Every entry of a kind by its name, in the order of its file.

    Raises:
        Refused: there is no such kind.
    """
    if kind not in KINDS:
        raise Refused(unknown_name("catalog", kind, KINDS, "a kind of the catalog"))
    return MappingProxyType(_entries(kind))


@cache
def _entries(kind: str) -> dict[str, Entry]:
    entries: tuple[Entry, ...] = import_module(f"engine.catalog.{kind}").ENTRIES
    return {entry.name: entry for entry in entries}


def register(entry: Entry) -> None:
    """Add an entry at run time: it can then be chosen wherever an entry of its file can.

    Raises:
        ValueError: the catalog has an entry of that kind and name.
    """
    if entry.name in catalog(entry.kind):
        raise ValueError(f"the catalog has {entry.name} in {entry.kind}")
    _entries(entry.kind)[entry.name] = entry


def unregister(entry: Entry) -> None:
    """Remove an entry that `register` added."""
    del _entries(entry.kind)[entry.name]


def find(kind: str, name: str) -> Entry:
    """The entry of that name.

    Raises:
        Refused: there is no such kind or name; the mistake names the nearest right one.
    """
    entries = catalog(kind)
    if name not in entries:
        raise Refused(unknown_name(f"catalog {kind}", name, tuple(entries), SINGULAR[kind]))
    return entries[name]
