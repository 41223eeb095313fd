"""What there is to train on, and what each choice of mixed precision would do there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, framed, one_line, words
from tui.quantities import scaled_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING

if TYPE_CHECKING:
    from engine.devices import DeviceInfo
    from engine.plan import Plan
    from engine.plan.precision_choices import PrecisionChoice


def devices(
    found: Sequence[DeviceInfo] | None,
    choices: Sequence[PrecisionChoice],
    plan: Plan | None,
    width: int,
    height: int,
    look: Look,
) -> Content:
    """A row a device with its free memory, the plan's one marked; below them what `amp` can be."""
    if found is None:
        return framed(words(LOADING, width, MUTED), width, height)
    amp = [line for choice in choices for line in _choice(choice, width, look)]
    if amp:
        amp = [*words("amp: what each choice would do", width, "bold"), *amp]
    for short in (False, True):
        rows = [line for device in found for line in _device(device, plan, width, look, short)]
        gap = [Content("")] * (bool(amp) and not short)
        if len(rows) + len(gap) + len(amp) <= height:
            break
    return framed([*rows, *gap, *amp], width, height)


def _device(device: DeviceInfo, plan: Plan | None, width: int, look: Look, short: bool) -> list[Content]:
    taken = plan is not None and plan.device == device.device
    mark = _mark(taken, look)
    memory = f"of {scaled_text(device.memory_bytes, 'B')}"
    if device.free_bytes is not None:
        memory = f"{scaled_text(device.free_bytes, 'B')} free {memory}"
    first = Content.assemble((mark, "bold"), (device.device, "bold" if taken else ""), f"  {memory}")
    if short:
        return [first]
    about = ", ".join(filter(None, (device.name, device.note)))
    lines = [first, *_indented(about, width, MUTED)]
    if taken and plan is not None and plan.memory_bytes:
        share = plan.memory_bytes / max(1, device.memory_bytes)
        said = "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
        lines += _indented(f"a training step takes about {scaled_text(plan.memory_bytes, 'B')}, {said} of it", width)
    return lines


def _choice(choice: PrecisionChoice, width: int, look: Look) -> list[Content]:
    head = Content.assemble((_mark(choice.chosen, look), "bold"), (choice.amp, "bold" if choice.chosen else ""))
    room = width - 12
    style = MUTED if choice.precision is None else ""
    if room < 20:
        return [head, *_indented(choice.says, width, style)]
    first, *rest = words(choice.says, room, style)
    return [
        Content.assemble(head, " " * (12 - head.cell_length), first),
        *(Content.assemble(" " * 12, line) for line in rest),
    ]


def _mark(taken: bool, look: Look) -> str:
    return ("> " if look.ascii else "▸ ") if taken else "  "


def _indented(text: str, width: int, style: str = "") -> list[Content]:
    return [Content.assemble("  ", line) for line in words(one_line(text), width - 2, style)]
