"""The number of samples of each class, as bars, and whether the classes are balanced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, one_line_text, text_lines
from tui.quantities import left, right
from tui.rows.design import MUTED

if TYPE_CHECKING:
    from engine import DataPreview, Experiment

_UNBALANCED_FROM = 1.5
"""The ratio of the largest to the smallest class from which on classes are called unbalanced."""
_LEAST_BARS = 3
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BALANCING = {"BCEWithLogitsLoss": "loss.pos_weight"} | dict.fromkeys(
    ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), "loss.weight"
)
"""The parameter of each loss that corrects for unbalanced classes."""


def bars(preview: DataPreview, note: str, width: int, room: int, look: Look) -> list[Content]:
    """A row a class: name, bar, training samples, their share, validation samples; then the note.

    Without room for all classes, the largest ones are shown. With room for less than three, only the note is.
    """
    train, val = preview.train_counts, preview.val_counts
    classes = [one_line_text(name) for name in preview.description.classes]
    foot = text_lines(note, width, MUTED)
    if room - len(foot) < min(_LEAST_BARS, len(classes)):
        return text_lines(note, width, MUTED, most=room)
    heading = room > len(classes) + len(foot)
    free = room - len(foot) - heading
    order: Sequence[int] = range(len(classes))
    if len(classes) > free:
        order = sorted(order, key=lambda i: (-train[i], i))[: max(1, free - 1)]
    total = max(1, sum(train))
    name = min(max((len(classes[i]) for i in order), default=0), max(4, width // 3))
    number = max(len("train"), *(len(f"{count:,}") for count in train))
    cells = (number, 7, max(len("valid."), *(len(f"{count:,}") for count in val or (0,))) + 1)
    shown = [cell for at, cell in enumerate(cells) if name + sum(cells[: at + 1]) + 6 <= width]
    bar_room = max(0, width - name - sum(shown) - 2)
    lines = []
    if heading:
        titles = ("train", "share", "valid.")
        head = "".join(right(title, cell) for title, cell in zip(titles, shown, strict=False))
        lines.append(
            Content.styled(left("class" if name >= len("class") else "", name) + " " * (bar_room + 2) + head, MUTED)
        )
    for i in order:
        texts = (f"{train[i]:,}", f"{100 * train[i] / total:.1f} %", f"{val[i]:,}" if val else "")
        figures = "".join(right(text, cell) for text, cell in zip(texts, shown, strict=False))
        filled = bar(train[i] / max(1, max(train)), bar_room, look)
        lines.append(Content.assemble(left(classes[i], name), " ", (filled, "$primary"), " ", figures))
    if len(order) < len(classes):
        lines += text_lines(f"and {len(classes) - len(order)} more classes", width, MUTED, most=1)
    return [*lines, *foot]


def bar(share: float, width: int, look: Look) -> str:
    """A bar in eighths of a cell, padded to `width` cells."""
    share = min(1.0, max(0.0, share))
    if look.ascii:
        return ("#" * round(share * width)).ljust(width)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def balance(preview: DataPreview, experiment: Experiment | None) -> str:
    """Whether the classes have about equally many training samples, and what to do if not."""
    counts, classes = preview.train_counts, preview.description.classes
    total = max(1, sum(counts))
    most, least = max(counts), min(counts)
    largest, smallest = one_line_text(classes[counts.index(most)]), one_line_text(classes[counts.index(least)])
    if least == 0:
        return f"Unbalanced: {smallest} has no training samples."
    if most < _UNBALANCED_FROM * least:
        return f"Balanced: each class has {100 * least / total:.1f} to {100 * most / total:.1f} % of the samples."
    text = (
        f"Unbalanced: {largest} has {most / least:.1f} times as many samples as {smallest}. "
        f"Always predicting {largest} is right for {100 * most / total:.1f} %."
    )
    parameter = _BALANCING.get(experiment.loss.type) if experiment is not None else None
    if experiment is None or parameter is None:
        return text
    if experiment.loss.parameters.get(parameter.partition(".")[2]) is not None:
        return f"{text} {parameter} corrects for it."
    return f'{text} {parameter} = "balanced" corrects for it.'
