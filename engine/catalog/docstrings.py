"""Read help on parameters from torch's docstrings, without the markup."""

from __future__ import annotations

import inspect
import re
from typing import Any

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Keyword args):\s*$")
_PARAMETER = re.compile(r"^(\w+(?:, ?\w+)*) *(?:\([^)]*\))?(?: ?– ?| ?: ?)(.*)$")
_DEFAULT = re.compile(r"\s*[.;,]?\s*\(?\bdefaults?\b(?:\s*[:=]|\s+to\b|\s+(?=\d|True|False)).*$", re.IGNORECASE)
_MATH = (
    (r"\\text\{([^}]*)\}", r"\1"),
    (r"\\frac\{([^}]*)\}\{([^}]*)\}", r"\1/\2"),
    (r"\\times", "×"),
    (r"\\(_|[a-z]+)", r"\1"),
)
_LONGEST = 240


def parameter_help(documented: Any) -> dict[str, str]:
    """Plain text for each parameter from the Args section of a docstring.

    Types and defaults are left out, since the signature has them.
    """
    lines = inspect.cleandoc(documented.__doc__ or "").splitlines()
    texts: dict[str, list[str]] = {}
    names: list[str] = []
    margin: int | None = None
    inside = False
    for line in lines:
        if not line.strip():
            continue
        if not line.startswith(" "):
            inside, margin = bool(_SECTION.match(line)), None
            continue
        if not inside:
            continue
        indent = len(line) - len(line.lstrip())
        margin = indent if margin is None else margin
        begins = _PARAMETER.match(line.strip()) if indent <= margin else None
        if begins:
            names = [name.strip() for name in begins[1].split(",")]
            for name in names:
                texts[name] = [begins[2]]
        else:
            for name in names:
                texts[name].append(line.strip())
    return {name: plain(" ".join(text)) for name, text in texts.items()}


def plain(text: str) -> str:
    """Text of a docstring without roles, literals and links of reStructuredText, and without the default.

    >>> plain("If ``True``, adds a learnable bias to the output. Default: ``True``")
    'If True, adds a learnable bias to the output.'
    """
    text = re.sub(r"\s+", " ", text).partition(" .. ")[0]  # a directive, such as a formula
    text = re.sub(r":\w+:`~?\.?([^`<]*?)(?:\s*<[^>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<[^>]*>`_{0,2}", r"\1", text)
    text = re.sub(r"`{1,2}([^`]*)`{1,2}_{0,2}", r"\1", text)
    for pattern, replacement in _MATH:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"(?<!\w)\*{1,2}([^*]+)\*{1,2}(?!\w)", r"\1", text)
    text = _DEFAULT.sub("", text.replace(" (default)", "")).strip(" .,;:")
    return _first_sentences(text[:1].upper() + text[1:] + ".") if text else ""


def _first_sentences(text: str) -> str:
    """The first sentence, and those after it that fit next to a field of a form."""
    kept, *others = re.split(r"(?<=[.!])\s+(?=[A-Z])", text)
    for sentence in others:
        if len(kept) + len(sentence) >= _LONGEST:
            break
        kept += f" {sentence}"
    return kept
