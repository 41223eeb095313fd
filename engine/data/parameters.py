"""Check the parameters in [data] against the declaration of the source, and fill in defaults, without loading data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from engine.data.sources import SOURCES, Source
from engine.data.spans import Fold
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, unknown_name
from engine.experiment.validation import mistakes_of
from engine.user_folders import expanded, home_problem


def source_mistakes(data: Data) -> list[Mistake]:
    """Every mistake in the name of the source, its parameters and the sizes of the parts."""
    return parsed(data)[1]


def with_defaults(data: Data) -> Data:
    """`data` with every parameter of its source; invalid parameters are replaced by their defaults."""
    source, _ = parsed(data)
    if source is None:
        return data
    declared = {name: getattr(data, name) for name in Data.model_fields} | source.model_dump(exclude_none=True)
    return Data.model_validate(declared)


def parsed(data: Data) -> tuple[Source | None, list[Mistake]]:
    """The source with its valid parameters, or None, and every mistake."""
    mistakes = _fold_mistakes(data)
    if max(data.validation, data.test) < 1 <= data.validation + data.test and data.fold is None:
        mistakes.append(
            Mistake(
                "data.test",
                f"validation {data.validation:g} and test {data.test:g} together leave no training samples",
                "expected a sum below 1",
                "Reduce one of them.",
            )
        )
    declaration = SOURCES.get(data.source)
    if declaration is None:
        return None, [unknown_name("data.source", data.source, list(SOURCES), "a data source"), *mistakes]

    given = data.parameters
    known = {name: value for name, value in given.items() if name in declaration.model_fields}
    # A misspelled field of [data] is read as a parameter, so the fields of [data] are suggested too.
    names = [*declaration.model_fields, *Data.model_fields]
    mistakes += [
        unknown_name(f"data.{name}", name, names, f"a parameter of the source {data.source}")
        for name in given
        if name not in known
    ]
    source: Source | None = None
    try:
        source = declaration.model_validate(known)
    except ValidationError as error:
        mistakes += mistakes_of(error, known, declaration, "data")
        wrong = {details["loc"][0] for details in error.errors()}
        try:
            source = declaration.model_validate({k: v for k, v in known.items() if k not in wrong})
        except ValidationError:
            return None, mistakes
    if not mistakes:
        mistakes += _escaped_paths(known)
    if not mistakes:
        mistakes += [*_names_twice(source), *source.contradictions(data)]
    return source, [*mistakes, *_without_a_home(source)]


def _names_twice(source: Source) -> list[Mistake]:
    """The mistakes of columns that a parameter names more than once."""
    named = {field: getattr(source, field) for field in source.columns}
    return [
        Mistake(f"data.{field}", f"{name!r} is listed twice", "expected it once", "Remove one of them.")
        for field, names in named.items()
        if isinstance(names, tuple)
        for name, count in Counter(names).items()
        if count > 1
    ]


def _without_a_home(source: Source) -> list[Mistake]:
    """The mistakes of paths that start with `~` without a home folder, and of downloads without a folder."""
    mistakes = []
    for name in type(source).model_fields:
        value = getattr(source, name)
        names_a_file = name in ("path", "root") or name.endswith("_path")
        if names_a_file and isinstance(value, str) and (problem := home_problem(value)):
            mistakes.append(Mistake(f"data.{name}", f"{value}: {problem}", "", "Write the full path."))
    return mistakes or source.homeless()


_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
"""Characters that TOML writes as a backslash and a letter in double quotes."""


def _escaped_paths(given: Mapping[str, Any]) -> list[Mistake]:
    """The mistakes of Windows paths in double quotes, in which `\\n` is a line break."""
    mistakes = []
    for name, value in given.items():
        if not isinstance(value, str) or not name.endswith(("path", "root")) or not set(value) & set(_ESCAPES):
            continue
        if not os.path.lexists(expanded(value)):
            meant = "".join(_ESCAPES.get(c, c) for c in value)
            which = next(c for c in value if c in _ESCAPES)
            found = f"there is no such file; in double quotes {_ESCAPES[which]} is one character, not two"
            fix = f"Write '{meant}'."
            mistakes.append(Mistake(f"data.{name}", found, "expected single quotes around a backslash", fix, value))
    return mistakes


def _fold_mistakes(data: Data) -> list[Mistake]:
    if data.fold is None:
        return []
    fold = Fold.of(data.fold)
    if fold.folds < 2:
        return [Mistake("data.fold", data.fold, "expected at least two folds", "Write 1/5 for the first of five.")]
    if fold.number > fold.folds:
        fix = f"Write a number from 1 to {fold.folds} before the slash."
        return [Mistake("data.fold", data.fold, f"there is no {fold.number} of {fold.folds}", fix)]
    return []
