"""Padding: a sample surrounded by more values. C channels, D depth, H height, W width, T time.

https://docs.pytorch.org/docs/stable/nn.html#padding-layers
"""

from __future__ import annotations

from functools import partial
from typing import Any

from engine.catalog.layers.signal import Kind, Shape, Signal, shape_text
from engine.catalog.layers.spec import LayerSpec, Module
from engine.experiment.mistakes import Mistake

_KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}
_SIDES: dict[int, Any] = {
    1: tuple[int, int],
    2: tuple[int, int, int, int],
    3: tuple[int, int, int, int, int, int],
}


def _shape(module: Module, shape: Shape) -> Shape:
    sides = list(zip(module.padding[::2], module.padding[1::2], strict=True))[::-1]  # torch starts with the last
    return (shape[0], *(before + size + after for size, (before, after) in zip(shape[1:], sides, strict=True)))


def _too_much(module: Module, before: Signal, *, spare: int) -> Mistake | None:
    """A mirror and a circle need as many values as they repeat; a mirror does not repeat the edge itself."""
    most = [max(sides) for sides in zip(module.padding[::2], module.padding[1::2], strict=True)][::-1]
    if all(pad <= size - spare for pad, size in zip(most, before.shape[1:], strict=True)):
        return None
    found = f"padding is {shape_text(tuple(most))}"
    sizes = before.shape[1:]
    expected = f"{before.origin} gives {shape_text(sizes)}, which allows {shape_text(tuple(s - spare for s in sizes))}"
    return Mistake(".padding", found, expected, "Make it smaller, or use ReplicationPad.")


def _pads(kind: str, with_: str, when: str, *, spare: int | None = None) -> tuple[LayerSpec, ...]:
    """The padding of one kind for signals, images and volumes.

    Args:
        spare: How many values of each dimension cannot be repeated; None where it repeats the edge or no value.
    """
    checks: dict[str, Any] = {} if spare is None else {"check_module": partial(_too_much, spare=spare)}
    return tuple(
        LayerSpec(
            name=f"{kind}Pad{n}d",
            torch_name=f"torch.nn.{kind}Pad{n}d",
            group="shape",
            summary=f"Surrounds {'an' if n == 2 else 'a'} {_KINDS[n]} with {with_}.",
            when=when,
            when_not="Where a convolution's own padding and padding_mode are enough.",
            formula="each size grows by the padding before it and after it",
            types={"padding": int | _SIDES[n]},
            helps={
                "padding": "How much on each side: a number, or before and after, the last dimension first.",
                "value": "The value of the padding.",
            },
            accepts=(_KINDS[n],),
            instead={other: f"{kind}Pad{m}d" for m, other in _KINDS.items() if m != n},
            output_shape=_shape,
            **checks,
        )
        for n in (1, 2, 3)
    )


ENTRIES = (
    *_pads(
        "Zero",
        "zeros",
        "The usual edge, where a convolution's own padding is not enough, or differs between sides.",
    ),
    *_pads("Constant", "a constant", "Where zero has a meaning, and another value has none."),
    *_pads("Reflection", "its mirror image", "For images, where zeros would look like an edge.", spare=1),
    *_pads("Replication", "its outermost values", "For images and signals that continue much as they end."),
    *_pads("Circular", "its other end", "For periodic values: angles, hours, geographic longitudes.", spare=0),
)
