"""The values of images of more than 8 bits that become 0 and 255, with notes and warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.data.images.deep import HIGHEST, Depth, Range
from engine.data.images.folder import WHERE, shown
from engine.experiment.mistakes import Mistake, Refused, put

FIELD = "data.pixel_range"
LEVELS = 255
FEW_LEVELS = 16
"""A warning is given if nearly all pixels become fewer grey levels than these."""


def used_range(depths: Mapping[int, Depth], names: Sequence[str], train: Collection[int]) -> Range:
    """The range from the lowest to the highest value in the training part.

    Args:
        depths: the depth of each image of more than 8 bits, by the number of its file.
        names: of all files.
        train: numbers of the files of the training part.

    Raises:
        Refused: some images hold whole numbers and others fractions, which have no common range.
    """
    kinds = {kind: next((i for i, d in depths.items() if d.kind == kind), None) for kind in ("whole", "fractional")}
    whole, fractional = kinds["whole"], kinds["fractional"]
    if whole is not None and fractional is not None:
        found = f"{shown(names[fractional])} has fractional numbers; {shown(names[whole])} has whole numbers"
        expected = "expected one kind of number, since one range scales all images"
        raise Refused(Mistake(WHERE, found, expected, "Convert them to one kind."))
    trained = [depth for index, depth in depths.items() if index in train]
    if not trained:
        return (0.0, HIGHEST) if all(depth.is_sixteen for depth in depths.values()) else _ends(depths.values())
    return _ends(trained)


def range_note(depths: Mapping[int, Depth], names: Sequence[str], range: Range, *, chosen: bool) -> str:
    """A sentence on how values are scaled, and how many bits are used.

    Args:
        chosen: whether the document sets the range.
    """
    low, high = range
    some = ", ".join(shown(names[index]) for index in list(depths)[:3])
    first = next(iter(depths.values()))
    count = f"{len(depths):,} image{'s' * (len(depths) > 1)}"
    if first.kind == "fractional":
        what = f"{count} with fractional pixels, such as {some}"
    else:
        bits = max(depth.bits for depth in depths.values())
        used = f", of which {int(high).bit_length()} are used" if low >= 0 else ""
        what = f"{count} with {bits} bits a pixel{used}, such as {some}"
    why = FIELD if chosen else "the range of the training part"
    return f"{what}: values from {_text(low)} to {_text(high)} ({why}) become 0 to {LEVELS}."


def range_warnings(depths: Mapping[int, Depth], range: Range, train: Collection[int], files: int) -> Iterator[Mistake]:
    """Warn if nearly all pixels become a few grey levels, and if some images have 8 bits.

    Args:
        files: number of images of any depth.
    """
    low, high = range
    trained = [depth for index, depth in depths.items() if index in train]
    if trained and high > low:
        first = min(depth.most[0] for depth in trained)
        last = max(depth.most[1] for depth in trained)
        levels = LEVELS * max(0.0, min(last, high) - max(first, low)) / (high - low)
        if first < last and levels < FEW_LEVELS:
            found = (
                f"nearly all pixels are between {_text(first)} and {_text(last)}, but values range from {_text(low)}"
            )
            found += f" to {_text(high)}"
            expected = f"they become {max(1, round(levels))} of 256 grey levels"
            ends = [int(v) if v.is_integer() else v for v in (first, last)]
            fix = f"Set {FIELD} = [{_text(ends[0])}, {_text(ends[1])}]; values outside become black or white."
            yield Mistake(FIELD, found, expected, fix, severity="warning", remedy=put(ends))
    others = files - len(depths)
    if others:
        found = f"{len(depths):,} images are scaled by their range, but {others:,} images of 8 bits are not"
        fix = "Save all images with the same number of bits."
        yield Mistake(WHERE, found, "their brightness cannot be compared", fix, severity="warning")


def _ends(depths: Collection[Depth]) -> Range:
    return (min(depth.low for depth in depths), max(depth.high for depth in depths))


def _text(value: float) -> str:
    """`4,095`, `0.35`."""
    return f"{int(value)}" if float(value).is_integer() else f"{value:.4g}"
