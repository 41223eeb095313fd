"""The load and memory of the device that trains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tui.plots.plot import Row
from tui.plots.raster import Marker
from tui.quantities import scaled_text
from tui.run_view import Curve, RunView
from tui.widgets.panel import Panel

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LABEL = 10


class DevicePanel(Panel):
    """The load and memory over time, and facts about the run."""

    HELP = (
        "The device that trains. Load is the share of it that is busy: of the cores of a CPU, of the time of a GPU. "
        "Memory is what the process has allocated there. If the load stays low, the device waits for data. "
        "Below are the optimizer, scheduler, loss and sizes of this run."
    )

    marker: Marker = "braille"

    def depends_on(self, view: RunView) -> object:
        return view.memory.version, view.load.version, id(view.started), view.state

    def title(self) -> Row:
        view = self.view
        words: Row = ((f"device {view.started.device}" if view.started else "device", "title"),)
        if (load := view.load.last) is not None:
            words += ((" load ", "quiet"), (f"{100 * load:.0f} %", "text"))
        if (memory := view.memory.last) is not None:
            words += ((" memory ", "quiet"), (scaled_text(memory, "B"), "text"))
        return words

    def footnote(self) -> Row:
        total = self.view.memory_total_bytes
        return ((f"of {scaled_text(total, 'B')}", "quiet"),) if total else ()

    def body(self, width: int, height: int) -> Sequence[Row]:
        view = self.view
        facts = list(_facts(view, width))
        rows: list[Row] = []
        if view.memory.last is None:
            rows += [(("load and memory: every 2 seconds", "quiet"),)] if view.active else []
        else:
            deep = 1 if height < 6 else 2
            if view.load.last is not None:
                rows += self._chart("load", view.load, width, deep, most=1.0)
            rows += self._chart("memory", view.memory, width, deep)
        room = height - len(rows) - 1
        return [*rows, (), *facts[:room]] if room > 0 else rows

    def _chart(self, name: str, curve: Curve, width: int, height: int, most: float | None = None) -> list[Row]:
        """Draw bars, the newest at the right, with the name and the maximum at the left."""
        room = width - _LABEL
        values = [bucket.high for bucket in curve.buckets if bucket.points][-room:]
        top = most if most is not None else max(values, default=1.0) * 1.1
        names = [name, "to 100 %" if most is not None else f"to {scaled_text(top, 'B')}"]
        rows: list[Row] = []
        for row in range(height):
            bars = "".join(self._part(value / top, height - 1 - row, height) for value in values)
            rows.append(((names[row].ljust(_LABEL), "quiet"), (bars.ljust(room), "bar")))
        return rows

    def _part(self, share: float, row: int, height: int) -> str:
        """Return the character of a bar in one row, counted from the bottom."""
        filled = min(1.0, max(0.0, share)) * height - row
        if self.marker == "ascii":
            return "#" if filled >= 0.5 else " "
        return _BLOCKS[math.floor(min(1.0, max(0.0, filled)) * 8 + 0.5)]


def _facts(view: RunView, width: int) -> Iterator[Row]:
    """Yield the run's optimizer, scheduler, loss and sizes, from its own document."""
    if view.started is None:
        return
    started, document = view.started, view.started.experiment
    optimizer = _type_of(document, "optimizer")
    rate = document["optimizer"].get("lr") if isinstance(document.get("optimizer"), dict) else None
    batch = document["data"].get("batch_size") if isinstance(document.get("data"), dict) else None
    for name, value in (
        ("optimizer", f"{optimizer} {rate:g}" if optimizer and isinstance(rate, float) else optimizer),
        ("scheduler", _type_of(document, "scheduler")),
        ("loss", _type_of(document, "loss")),
        ("parameters", f"{started.parameters:,}"),
        ("samples", f"{started.train_samples:,} + {started.val_samples:,} validation"),
        ("batch", f"{batch:,}" if isinstance(batch, int) else ""),
    ):
        if value:
            yield ((name.ljust(_LABEL + 2), "quiet"), (value[: max(0, width - _LABEL - 2)], "text"))


def _type_of(document: dict[str, Any], part: str) -> str:
    chosen = document.get(part)
    return str(chosen.get("type", "")) if isinstance(chosen, dict) else str(chosen or "")
