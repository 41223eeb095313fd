"""The keys of the deck, each with a name, and the keys that a person has chosen instead."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import REPLACED_KEYS, Keys, key_to_character
from textual.screen import ModalScreen

MODIFIERS = ("ctrl", "shift", "alt", "super", "meta", "hyper")


@dataclass(frozen=True, slots=True)
class Named:
    """A binding and the class that declares it."""

    owner: type[DOMNode]
    binding: Binding

    @property
    def id(self) -> str:
        """Its name in the settings, such as `design.add`."""
        return self.binding.id or ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys, by Textual's names."""
        return normal(self.binding.key)


def declared() -> list[Named]:
    """Return every binding that a class of the deck declares. Imports all screens, dialogs and widgets."""
    for package in ("tui.dialogs", "tui.screens", "tui.widgets"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    importlib.import_module("tui.deck.keys")
    return [
        Named(owner, binding)
        for owner in sorted(set(_below(DOMNode)), key=lambda owner: (owner.__module__, owner.__qualname__))
        if owner.__module__.startswith("tui.")
        for binding in (*owner.__dict__.get("BINDINGS", ()), *filter(None, [owner.__dict__.get("OPENED_BY")]))
    ]


def _below(owner: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for child in owner.__subclasses__():
        yield child
        yield from _below(child)


def normal(keys: str) -> tuple[str, ...]:
    """Split keys at commas, and return Textual's name for each: "?" is question_mark."""
    parts = [","] if keys.strip() == "," else [part.strip() for part in keys.split(",")]
    bindings = [Binding("comma" if part == "," else part, "") for part in parts if part]
    return tuple(binding.key for binding in Binding.make_bindings(bindings))


def is_key(key: str) -> bool:
    """Whether a terminal can send such a key: a character, or a name that Textual has for it."""
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    named = name in REPLACED_KEYS or name in {key.value for key in Keys} or key_to_character(name) is not None
    return (named or len(name) == 1) and all(modifier in MODIFIERS for modifier in modifiers)


def checked(chosen: Mapping[str, str], complain: Callable[[str, str], None]) -> dict[str, str]:
    """Return the chosen keys that are valid, in Textual's form.

    Args:
        chosen: keys by the ids of bindings.
        complain: called with an id and the problem, as the rest of a sentence about the setting.
    """
    if not chosen:
        return {}
    known = declared()
    by_id = {named.id: named for named in known}
    right: dict[str, str] = {}
    for id_, keys in chosen.items():
        bad = [key for key in normal(keys) if not is_key(key)]
        if id_ not in by_id:
            complain(id_, f"is not an action{_near(id_, by_id) or '.'} torchdeck settings --edit lists the actions.")
        elif bad or not normal(keys):
            complain(
                id_,
                f'is "{keys}", which is not a key; expected a key such as a, A, ctrl+k, f5, space or question_mark.',
            )
        else:
            right[id_] = ",".join(normal(keys))
    right = _with_companions(right, known)
    for id_ in [id_ for id_ in chosen if id_ in right]:
        if other := _collision(id_, right, known):
            complain(
                id_,
                f'is "{chosen[id_]}", which is also a key of {other}. Choose another key, or change that of {other}.',
            )
            del right[id_]
    return right


def _with_companions(right: Mapping[str, str], known: list[Named]) -> dict[str, str]:
    """Add the keys that must change together with the chosen keys.

    Two bindings of one widget with the same key (pause, continue) keep sharing a key. A binding whose text in the
    footer contains another key ("+/-") shows only its own key when either of them was changed.
    """
    more = dict(right)
    for named in known:
        if named.id in right:
            continue
        same_owner = [other for other in known if other.owner is named.owner and other.id in right]
        for other in same_owner:
            if other.keys == named.keys:
                more[named.id] = right[other.id]
            elif other.binding.key_display in (named.binding.key_display or "").split("/") and named.id not in more:
                more[named.id] = ",".join(named.keys)
    return more


def _collision(id_: str, right: Mapping[str, str], known: list[Named]) -> str:
    """Return another action that has one of the chosen keys on the same screen; empty if there is none."""
    for mine in (named for named in known if named.id == id_):
        keys = set(normal(right[id_])).difference(mine.keys)
        for other in known:
            if other.id == id_ or other.keys == mine.keys or not _meet(mine, other):
                continue
            theirs = normal(right[other.id]) if other.id in right else other.keys
            if keys & set(theirs):
                return other.id
    return ""


def _meet(one: Named, other: Named) -> bool:
    """Whether both can be active at the same time: on one screen, or one of them everywhere."""
    if issubclass(one.owner, other.owner) or issubclass(other.owner, one.owner):
        return True
    areas = {one.id.partition(".")[0], other.id.partition(".")[0]}
    if len(areas) == 1 or areas == {"design", "form"}:
        return True
    if any(issubclass(named.owner, ModalScreen) for named in (one, other)):
        return "list" in areas and "quit" in areas
    return bool(areas & {"deck", "list"})


def _near(id_: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(id_, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
