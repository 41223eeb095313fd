"""What each layer takes, and what to do where it gets something else."""

from __future__ import annotations

from engine.experiment.mistakes import Mistake
from engine.model.signal import Kind, Signal

PERMUTE = '{type = "Permute", dims = [0, 2, 1]}'

RECURRENT = ("RNN", "LSTM", "GRU")
OVER_IMAGES = ("Conv2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "BatchNorm2d", "Dropout2d")
OVER_SIGNALS = ("Conv1d", "MaxPool1d", "AvgPool1d", "AdaptiveAvgPool1d", "AdaptiveMaxPool1d", "Dropout1d")
TAKES: dict[str, tuple[Kind, ...]] = {
    "Linear": ("vector", "sequence"),
    "Embedding": ("tokens",),
    "BatchNorm1d": ("vector", "signal"),
    "GroupNorm": ("image", "signal", "vector"),
    "Identity": ("image", "signal", "sequence", "tokens", "vector"),
    **dict.fromkeys(RECURRENT, ("sequence",)),
    **dict.fromkeys(OVER_IMAGES, ("image",)),
    **dict.fromkeys(OVER_SIGNALS, ("signal",)),
}
_NUMBERS: tuple[Kind, ...] = ("image", "signal", "sequence", "vector")

_KINDS: dict[Kind, str] = {
    "image": "an image (channels, height, width)",
    "signal": "a signal (channels, time)",
    "sequence": "a sequence (time, features)",
    "tokens": "tokens (time), which are whole numbers",
    "vector": "a vector (features)",
}


def misfit(type: str, signal: Signal, *, rows_parameter: bool) -> Mistake | None:
    """The mistake of a layer that cannot take `signal`; its path is left empty.

    Args:
        rows_parameter: whether the data source can read images row by row, as sequences.
    """
    takes = TAKES.get(type, _NUMBERS)
    if signal.kind in takes:
        return None
    needs = "numbers" if takes is _NUMBERS else " or ".join(_KINDS[kind] for kind in takes)
    return Mistake("", f"it needs {needs}", f"{signal.origin} gives {signal}", _fix(type, signal, rows_parameter), type)


def _fix(type: str, signal: Signal, rows_parameter: bool) -> str:
    got = signal.kind
    of_that_size = type.replace("1d", "2d") if got == "image" else type.replace("2d", "1d")
    if got == "tokens":
        return "Put an Embedding before it."
    if type == "Embedding":
        return "Remove it: the values are numbers already."
    if type == "Linear":
        return "Put a Flatten before it."
    if type in RECURRENT:
        if signal.summed_up_by:
            return f'Set output = "sequence" in {signal.summed_up_by}.'
        if got == "signal":
            return f"Put {PERMUTE} before it."
        if got == "image":
            rows = "Set data.as_rows = true to read images row by row, or use" if rows_parameter else "Use"
            return f"{rows} Conv2d for images."
        return "There is no time to read along: use Linear."
    if got == "vector":
        return f"Use {'BatchNorm1d' if 'Norm' in type else 'Dropout' if 'Dropout' in type else 'Linear'}, or remove it."
    if got == "sequence":
        if "Norm" in type:
            return "Use LayerNorm."
        one_dimensional = type.replace("2d", "1d")
        return f"Put {PERMUTE} before it" + (f" and use {one_dimensional}." if one_dimensional != type else ".")
    return f"Use {of_that_size}."


def assumed(type: str, signal: Signal) -> Signal | None:
    """What a layer would get if its misfit were fixed; None where that cannot be told."""
    if type == "Linear" and signal.kind in ("image", "signal"):
        return signal.of((signal.numel,), "vector")
    turns = (type in OVER_SIGNALS and signal.kind == "sequence") or (type in RECURRENT and signal.kind == "signal")
    if turns:
        return signal.of(signal.shape[::-1], "signal" if signal.kind == "sequence" else "sequence")
    return None


def keeps_shape(type: str) -> bool:
    """Whether a layer hands on the shape that it gets, whatever its parameters."""
    if type in ("Flatten", "Permute", "Residual", "Concat"):
        return False
    return type not in TAKES or type.startswith(("BatchNorm", "Dropout")) or type in ("GroupNorm", "Identity")
