"""What each layer takes, and what to do where it gets something else."""

from __future__ import annotations

from engine.catalog import catalog
from engine.catalog.choices import USUAL
from engine.experiment.mistakes import Mistake, Remedy, drop, insert, put
from engine.model.signal import OVER_CHANNELS, Kind, Signal

PERMUTE = '{type = "Permute", dims = [0, 2, 1]}'
_PERMUTE = {"type": "Permute", "dims": [0, 2, 1]}

RECURRENT = ("RNN", "LSTM", "GRU")
READ_WHOLE = ("TransformerEncoder", "PositionalEncoding", "AttentionPooling", "MeanPooling")
_NUMBERS: tuple[Kind, ...] = ("volume", "image", "signal", "sequence", "vector")
_BY_DIMENSIONS: dict[str, Kind] = {"1d": "signal", "2d": "image", "3d": "volume"}
TAKES: dict[str, tuple[Kind, ...]] = {
    **{name: (_BY_DIMENSIONS[name[-2:]],) for name in catalog("layers") if name[-2:] in _BY_DIMENSIONS},
    "Linear": ("vector", "sequence"),
    **dict.fromkeys(("Embedding", "EmbeddingBag"), ("tokens",)),
    "BatchNorm1d": ("vector", "signal"),
    "GroupNorm": (*OVER_CHANNELS, "vector"),
    "Identity": (*_NUMBERS, "tokens"),
    **dict.fromkeys(("LocalResponseNorm", "ChannelShuffle", "Upsample", "FeatureAlphaDropout"), OVER_CHANNELS),
    **dict.fromkeys(("PixelShuffle", "PixelUnshuffle", "Unfold"), ("image",)),
    "Fold": ("signal",),
    "torchvision": ("image",),
    **dict.fromkeys((*RECURRENT, *READ_WHOLE), ("sequence",)),
}
"""What layers take that do not take numbers of any shape."""

_KEEP_SHAPE = ("normalization", "activation", "dropout")

_KINDS: dict[Kind, str] = {
    "volume": "a volume (channels, depth, height, width)",
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
    fix, remedy = _fix(type, signal, rows_parameter)
    return Mistake("", f"it needs {needs}", f"{signal.origin} gives {signal}", fix, type, remedy=remedy)


def _fix(type: str, signal: Signal, rows_parameter: bool) -> tuple[str, Remedy | None]:
    """What to do, as a sentence, and as data where one change does it."""
    got = signal.kind
    if type == "torchvision":
        return "Use data that is images, or another layer.", None
    if got == "tokens":
        return "Put an Embedding before it.", insert({"type": "Embedding", "embedding_dim": USUAL["embedding_dim"]})
    if type in ("Embedding", "EmbeddingBag"):
        return "Remove it: the values are numbers already.", drop()
    if type == "Linear":
        return "Put a Flatten before it.", insert("Flatten")
    if type in (*RECURRENT, *READ_WHOLE):
        if signal.summed_up_by:
            remedy = put("sequence", f"{signal.summed_up_by}.output")
            return f'Set output = "sequence" in {signal.summed_up_by}.', remedy
        if got == "signal":
            return f"Put {PERMUTE} before it.", insert(_PERMUTE)
        if got == "image":
            rows = "Set data.as_rows = true to read images row by row, or use" if rows_parameter else "Use"
            return f"{rows} Conv2d for images.", put(True, "data.as_rows") if rows_parameter else None
        return "There is no time to read along: use Linear.", None
    of_that_size = _of_that_size(type, got)
    if got == "vector":
        use = "BatchNorm1d" if "Norm" in type else "Dropout" if "Dropout" in type else "Linear"
        return f"Use {use}, or remove it.", put(use) if use != "Linear" else drop()
    if got == "sequence":
        if "Norm" in type:
            return "Use LayerNorm.", put("LayerNorm")
        one_dimensional = _of_that_size(type, "signal") or type
        and_use = f" and use {one_dimensional}." if one_dimensional != type else "."
        return f"Put {PERMUTE} before it{and_use}", insert(_PERMUTE)
    return (f"Use {of_that_size}.", put(of_that_size, ".type")) if of_that_size else ("Remove it.", drop())


def _of_that_size(type: str, kind: Kind) -> str:
    """The layer of the same family that takes such a thing; empty where there is none."""
    dimensions = next((d for d, k in _BY_DIMENSIONS.items() if k == kind), "")
    name = type[:-2] + dimensions
    return name if type[-2:] in _BY_DIMENSIONS and dimensions and name in catalog("layers") else ""


def assumed(type: str, signal: Signal) -> Signal | None:
    """What a layer would get if its misfit were fixed; None where that cannot be told."""
    if type == "Linear" and signal.kind in ("image", "signal"):
        return signal.of((signal.numel,), "vector")
    turns = (TAKES.get(type) == ("signal",) and signal.kind == "sequence") or (
        type in (*RECURRENT, *READ_WHOLE) and signal.kind == "signal"
    )
    if turns:
        return signal.of(signal.shape[::-1], "signal" if signal.kind == "sequence" else "sequence")
    return None


def keeps_shape(type: str) -> bool:
    """Whether a layer hands on the shape that it gets, whatever its parameters."""
    entry = catalog("layers").get(type)
    return type in ("Identity", "Sequential", "Repeat") or (
        entry is not None and entry.group in _KEEP_SHAPE and type != "GLU"
    )
