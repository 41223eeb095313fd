"""How many samples each class has, as bars, and whether that is even."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, one_line, words
from tui.quantities import left, right
from tui.rows.design import MUTED

if TYPE_CHECKING:
    from engine.data.preview import Preview
    from engine.experiment import Experiment

_UNEVEN_FROM = 1.5
"""Times that the largest class has the samples of the smallest from which on classes are called unbalanced."""
_LEAST_BARS = 3
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BALANCES = {"BCEWithLogitsLoss": "loss.pos_weight"} | dict.fromkeys(
    ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), "loss.weight"
)
"""The parameter of each loss that makes up for it."""


def bars(preview: Preview, said: str, width: int, room: int, look: Look) -> list[Content]:
    """A row a class: name, bar, samples to train on, their share, samples to validate on; what is said below them.

    Where not all classes have room the largest ones stand there; less than three are not worth it.
    """
    train, val = preview.train_counts, preview.val_counts
    classes = [one_line(name) for name in preview.description.classes]
    foot = words(said, width, MUTED)
    if room - len(foot) < min(_LEAST_BARS, len(classes)):
        return words(said, width, MUTED, most=room)
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
    room_of_bar = max(0, width - name - sum(shown) - 2)
    lines = []
    if heading:
        titles = ("train", "share", "valid.")
        head = "".join(right(title, cell) for title, cell in zip(titles, shown, strict=False))
        lines.append(
            Content.styled(left("class" if name >= len("class") else "", name) + " " * (room_of_bar + 2) + head, MUTED)
        )
    for i in order:
        texts = (f"{train[i]:,}", f"{100 * train[i] / total:.1f} %", f"{val[i]:,}" if val else "")
        figures = "".join(right(text, cell) for text, cell in zip(texts, shown, strict=False))
        filled = bar(train[i] / max(1, max(train)), room_of_bar, look)
        lines.append(Content.assemble(left(classes[i], name), " ", (filled, "$primary"), " ", figures))
    if len(order) < len(classes):
        lines += words(f"and {len(classes) - len(order)} more classes", width, MUTED, most=1)
    return [*lines, *foot]


def bar(share: float, width: int, look: Look) -> str:
    """A bar in eighths of a cell, in as many cells as it may be long."""
    share = min(1.0, max(0.0, share))
    if look.ascii:
        return ("#" * round(share * width)).ljust(width)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def balance(preview: Preview, experiment: Experiment | None) -> str:
    """Whether the classes have about as many samples to train on, and what to do where they have not."""
    counts, classes = preview.train_counts, preview.description.classes
    total = max(1, sum(counts))
    most, least = max(counts), min(counts)
    largest, smallest = one_line(classes[counts.index(most)]), one_line(classes[counts.index(least)])
    if least == 0:
        return f"Unbalanced: {smallest} has no sample to train on."
    if most < _UNEVEN_FROM * least:
        return f"Balanced: each class has {100 * least / total:.1f} to {100 * most / total:.1f} % of the samples."
    said = (
        f"Unbalanced: {largest} has {most / least:.1f} times the samples of {smallest}; always to say {largest} "
        f"would be right for {100 * most / total:.1f} %."
    )
    parameter = _BALANCES.get(experiment.loss.type) if experiment is not None else None
    if experiment is None or parameter is None:
        return said
    if experiment.loss.parameters.get(parameter.partition(".")[2]) is not None:
        return f"{said} {parameter} makes up for it."
    return f'{said} {parameter} = "balanced" makes up for it.'
