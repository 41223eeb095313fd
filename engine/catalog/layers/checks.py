"""Mistakes that layers of several families share. Paths are relative to the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.catalog.choices import USUAL
from engine.catalog.layers.signal import NUMBERS, DataFacts, Kind, Signal
from engine.catalog.layers.spec import Arguments, InputFix, LayerSpec, Module
from engine.experiment.mistakes import Mistake, drop, insert, put

_PERMUTE_TEXT = '{type = "Permute", dims = [0, 2, 1]}'
_PERMUTE = {"type": "Permute", "dims": [0, 2, 1]}

_KINDS: dict[Kind, str] = {
    "volume": "a volume (channels, depth, height, width)",
    "image": "an image (channels, height, width)",
    "signal": "a signal (channels, time)",
    "sequence": "a sequence (time, features)",
    "tokens": "tokens (time), which are whole numbers",
    "vector": "a vector (features)",
}

EMBED = InputFix("Put an Embedding before it.", insert({"type": "Embedding", "embedding_dim": USUAL["embedding_dim"]}))


def wrong_input(spec: LayerSpec, before: Signal, facts: DataFacts) -> tuple[Mistake, Signal | None] | None:
    """The mistake of a layer that does not accept its input, and the input after the fix, where that is known."""
    if before.kind in spec.accepts:
        return None
    needs = "numbers" if spec.accepts == NUMBERS else " or ".join(_KINDS[kind] for kind in spec.accepts)
    fix = spec.input_fix(before, facts) if spec.input_fix is not None else usual_fix(spec, before)
    found, expected = f"it needs {needs}", f"{before.origin} gives {before}"
    return Mistake("", found, expected, fix.sentence, spec.name, remedy=fix.remedy), fix.then


def usual_fix(spec: LayerSpec, before: Signal) -> InputFix:
    """Reorder the dimensions, use the layer of the same family that accepts the input, or remove the layer."""
    kind = before.kind
    instead = spec.instead.get(kind, "")
    if kind == "tokens":
        return EMBED
    if kind == "vector":
        return InputFix(f"Use {instead or 'Linear'}, or remove it.", put(instead) if instead else drop())
    if kind == "sequence":
        then = swapped(before) if spec.accepts == ("signal",) else None
        if instead:
            return InputFix(f"Use {instead}.", put(instead), then)
        over_time = spec.instead.get("signal", "")
        and_use = f" and use {over_time}." if over_time else "."
        return InputFix(f"Put {_PERMUTE_TEXT} before it{and_use}", insert(_PERMUTE), then)
    return InputFix(f"Use {instead}.", put(instead, ".type")) if instead else InputFix("Remove it.", drop())


def sequence_fix(before: Signal, facts: DataFacts) -> InputFix:
    """The fix of a layer that reads sequences."""
    if before.kind == "tokens":
        return EMBED
    then = swapped(before) if before.kind == "signal" else None
    if before.summarized_by:
        remedy = put("sequence", f"{before.summarized_by}.output")
        return InputFix(f'Set output = "sequence" in {before.summarized_by}.', remedy, then)
    if before.kind == "signal":
        return InputFix(f"Put {_PERMUTE_TEXT} before it.", insert(_PERMUTE), then)
    if before.kind == "image":
        rows = "Set data.as_rows = true to read images row by row, or use" if facts.rows_parameter else "Use"
        return InputFix(f"{rows} Conv2d for images.", put(True, "data.as_rows") if facts.rows_parameter else None)
    return InputFix("The input has no time dimension: use Linear.")


def swapped(before: Signal) -> Signal:
    """A sequence (T, F) as a signal (C, T), or the reverse."""
    return before.of(before.shape[::-1], "signal" if before.kind == "sequence" else "sequence")


def wrong_dimension(module: Module, before: Signal, *, can_be_dropped: bool = True) -> Mistake | None:
    """A dimension that the input does not have, or that is the batch."""
    dimensions = len(before.shape) + 1
    for name in ("start_dim", "end_dim", "dim"):
        value = getattr(module, name, 1)
        if not value % dimensions >= 1 or not -dimensions < value < dimensions:
            fix = f"Set it to 1 to {dimensions - 1}, or -1 for the last; 0 is the batch."
            remedy = drop() if can_be_dropped else None
            return Mistake(f".{name}", f"found {value}", f"{before.origin} gives {before}", fix, remedy=remedy)
    return None


def divides_channels(name: str, power: int = 1) -> Callable[[Arguments, Signal], Mistake | None]:
    """A check that the channels of the input divide by a power of a parameter."""

    def check(given: Arguments, before: Signal) -> Mistake | None:
        channels, value = before.shape[0], given[name]
        if channels % value**power == 0:
            return None
        found = f"{name} is {value}" + (f", which needs a multiple of {value**power} channels" if power > 1 else "")
        largest = max(n for n in range(1, value + 1) if channels % n**power == 0)
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        some = divisors if len(divisors) < 6 else [*divisors[:4], divisors[-1]]
        fix = f"Set it to {either(some)}, or change the number of channels before it."
        return Mistake(f".{name}", found, f"{before.origin} gives {channels} channels", fix, remedy=put(largest))

    return check


def either(values: Sequence[Any]) -> str:
    """Several values as text: `1, 2 or 4`."""
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last
