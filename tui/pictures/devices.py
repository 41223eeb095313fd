"""The devices to train on, and the effect of each choice of mixed precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, clipped, one_line_text, text_lines
from tui.quantities import scaled_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING

if TYPE_CHECKING:
    from engine import DeviceInfo, Plan, PrecisionChoice


def devices(
    all_devices: Sequence[DeviceInfo] | None,
    choices: Sequence[PrecisionChoice],
    plan: Plan | None,
    width: int,
    height: int,
    look: Look,
) -> Content:
    """A row a device with its free memory, with a mark at the device of the plan; then the choices of `amp`."""
    if all_devices is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    amp = [line for choice in choices for line in _choice(choice, width, look)]
    if amp:
        amp = [*text_lines("amp: the effect of each choice", width, "bold"), *amp]
    for short in (False, True):
        rows = [line for device in all_devices for line in _device(device, plan, width, look, short)]
        gap = [Content("")] * (bool(amp) and not short)
        if len(rows) + len(gap) + len(amp) <= height:
            break
    return clipped([*rows, *gap, *amp], width, height)


def _device(device: DeviceInfo, plan: Plan | None, width: int, look: Look, short: bool) -> list[Content]:
    chosen = plan is not None and plan.device == device.device
    mark = _mark(chosen, look)
    memory = f"of {scaled_text(device.memory_bytes, 'B')}"
    if device.free_bytes is not None:
        memory = f"{scaled_text(device.free_bytes, 'B')} free {memory}"
    first = Content.assemble((mark, "bold"), (device.device, "bold" if chosen else ""), f"  {memory}")
    if short:
        return [first]
    about = ", ".join(filter(None, (device.name, device.note)))
    lines = [first, *_indented(about, width, MUTED)]
    if chosen and plan is not None and plan.memory_bytes:
        share = plan.memory_bytes / max(1, device.memory_bytes)
        percent = "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
        lines += _indented(f"a training step needs about {scaled_text(plan.memory_bytes, 'B')}, {percent} of it", width)
    return lines


def _choice(choice: PrecisionChoice, width: int, look: Look) -> list[Content]:
    head = Content.assemble((_mark(choice.chosen, look), "bold"), (choice.amp, "bold" if choice.chosen else ""))
    room = width - 12
    style = MUTED if choice.precision is None else ""
    if room < 20:
        return [head, *_indented(choice.says, width, style)]
    first, *rest = text_lines(choice.says, room, style)
    return [
        Content.assemble(head, " " * (12 - head.cell_length), first),
        *(Content.assemble(" " * 12, line) for line in rest),
    ]


def _mark(chosen: bool, look: Look) -> str:
    return ("> " if look.ascii else "▸ ") if chosen else "  "


def _indented(text: str, width: int, style: str = "") -> list[Content]:
    return [Content.assemble("  ", line) for line in text_lines(one_line_text(text), width - 2, style)]
