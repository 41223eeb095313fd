"""The gradient check: which layers passed, which failed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from engine import GradientsChecked, LayerChecked, ProbeRecord
from tui.printing.probes import MARKS, checked_text
from tui.screens.probe import ProbeScreen
from tui.services.producer import ProbeKind
from tui.tables.columns import Column, table
from tui.widgets.row_list import RowList

TONES = {"passed": "$text-success", "kink": "$text-warning", "failed": "bold $text-error", "skipped": "$text-muted"}


class CheckList(RowList):
    """The layers that were checked."""

    HELP = (
        "✓ autograd's gradient equals the numerical one. ✗ It does not. ~ The function has a kink near this input, so "
        "the gradient is not unique. - Not checked. The right column counts the numbers that were checked: each "
        "separately, or all along random directions."
    )


class GradientCheckScreen(ProbeScreen[None]):
    """Shows each layer when it is checked, and details of the one under the cursor."""

    KIND: ClassVar[ProbeKind] = "gradients"
    NAME = "Gradient check"
    ABOUT = (
        "Is each layer's backward pass the derivative of its forward pass? torch.autograd.gradcheck compares it with "
        "numerical differences, in float64. The layer's input comes from 3 samples; dropout is off."
    )

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.checked: list[LayerChecked] = []
        self.summary: GradientsChecked | None = None

    def body(self) -> Widget:
        return CheckList(id="probe-picture")

    @property
    def list(self) -> CheckList:
        return self.query_one("#probe-picture", CheckList)

    def on_mount(self) -> None:
        self.list.border_title = "Layers"
        self.list.focus()

    def reset(self) -> None:
        self.checked, self.summary = [], None

    def take(self, record: ProbeRecord) -> None:
        if isinstance(record, LayerChecked):
            self.checked.append(record)
        elif isinstance(record, GradientsChecked):
            self.summary = record

    def draw(self) -> None:
        worst = next((i for i, record in enumerate(self.checked) if record.outcome == "failed"), 0)
        self.list.show_rows(lambda width: check_rows(self.checked, width), at=worst if self.summary else None)
        self._write()

    @on(OptionList.OptionHighlighted)
    def _write(self) -> None:
        at = self.list.highlighted
        under = self.checked[at] if at is not None and at < len(self.checked) else None
        if self.summary is not None:
            head = Content.styled(self.summary.message, TONES["failed" if self.summary.failed else "passed"])
        elif self.checked:
            head = Content(f"{self.checked[-1].index} of {self.checked[-1].checks} checked. Esc stops the check.")
        else:
            head = Content("Reading the data and building the model …")
        self.write(head, detail(under) if under is not None else "")


def check_rows(checked: Sequence[LayerChecked], width: int) -> list[Content]:
    """Return a row for each check: its outcome, the layer, and the count of numbers."""
    rows = [
        (
            (MARKS[record.outcome], TONES[record.outcome]),
            record.number.replace(" copy ", "·"),
            record.label,
            checked_text(record),
        )
        for record in checked
    ]
    return table(rows, (Column(), Column(least=8), Column(least=8, fills=True), Column(right=True)), width)


def detail(record: LayerChecked) -> Content:
    """Return the details of one check."""
    name = f"{record.number} {record.label}".strip()
    sentence = record.message
    if record.outcome == "passed":
        how = "along random directions" if record.fast else "each separately"
        sentence = f"Both gradients agree for {record.elements:,} numbers, {how}. {sentence}".rstrip()
    elif record.outcome == "failed" and record.difference is not None:
        sentence = f"{sentence} The largest difference is {record.difference:.3g}."
    return Content.assemble((f"{name}: ", "bold"), sentence)
