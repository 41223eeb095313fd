"""Print the mistakes of a request, and end the command with status 2."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

import typer

from tui.tables.text import plain


def print_mistakes(mistakes: Iterable[object]) -> None:
    """Print mistakes and warnings on stderr, one a line."""
    for mistake in mistakes:
        warning = "warning: " if getattr(mistake, "severity", "error") == "warning" else ""
        print(f"{warning}{plain(str(mistake))}", file=sys.stderr)


def refuse(*mistakes: object) -> NoReturn:
    """Print mistakes, each a sentence or a `Mistake`, and end the command with status 2."""
    print_mistakes(mistakes)
    raise typer.Exit(2)


def deck_needs_terminal(alternative: str) -> None:
    """End the command where the deck cannot be shown.

    Args:
        alternative: a sentence with a command that needs no terminal.
    """
    from tui.terminal.streams import terminal_problem

    if problem := terminal_problem():
        refuse(f"The deck needs a terminal: {problem}. {alternative}")
