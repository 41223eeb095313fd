"""Checks of layers that a field of the document names: whether they exist and have weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.catalog import catalog
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake, drop, put, unknown_name, value_text
from engine.experiment.paths import LayerRange, layer_range
from engine.experiment.tree import by_path


def named_layer_mistakes(
    names: Sequence[str | int], path: str, layers: Sequence[Layer], parameters: Mapping[str, int], weightless: str
) -> Iterator[Mistake]:
    """Mistakes of layers that are named by index, range, path or type in the list at `path`.

    Args:
        parameters: the number of parameters that each layer trains, by its path, where it is known.
        weightless: the clause of a mistake that says what a layer without weights cannot do.
    """
    places = by_path(layers)
    at = {path: layer.type for path, layer in places.items()}
    types = list(dict.fromkeys(at.values()))
    for index, name in enumerate(names):
        here = f"{path}[{index}]"
        if (span := layer_range(name)) is not None:
            yield from _range_mistakes(span, str(name), here, at, parameters, weightless)
            continue
        where = f"model.layers[{name}]" if isinstance(name, int) else f"model.{name.removeprefix('model.')}"
        if where in at:
            selected = [where]
        elif isinstance(name, int) or "[" in name:
            yield _nowhere(here, where, at)
            continue
        elif name in types:
            selected = [layer for layer, type in at.items() if type == name]
        elif name in catalog("layers"):
            yield Mistake(here, f"the model has no {name}", f"it has {', '.join(types)}", "Use one of these.")
            continue
        else:
            yield unknown_name(here, name, types, "a layer of the model")
            continue
        if all(parameters.get(layer) == 0 for layer in selected):
            if any(places[layer].parameters.get("freeze") is True for layer in selected):
                fix = f"Remove it, or set {selected[0]}.freeze = false."
                yield Mistake(here, f"{at[selected[0]]} is frozen", weightless, fix)
            else:
                yield Mistake(here, f"{at[selected[0]]} has no weights", weightless, "Remove it.", remedy=drop())


def _range_mistakes(
    span: LayerRange, name: str, here: str, at: Mapping[str, str], parameters: Mapping[str, int], weightless: str
) -> Iterator[Mistake]:
    if span.first > span.last:
        turned = name.replace(f"{span.first}..{span.last}", f"{span.last}..{span.first}")
        found, expected = f"found {value_text(name)}", "the first layer is after the last one"
        yield Mistake(here, found, expected, f"Write {turned!r}.", remedy=put(turned))
    elif (last := span.path(span.last)) not in at:
        yield _nowhere(here, last, at)
    elif all(parameters.get(layer) == 0 for layer in span.paths):
        yield Mistake(here, f"none of {name} has weights", weightless, "Remove it.", remedy=drop())


def _nowhere(here: str, where: str, at: Mapping[str, str]) -> Mistake:
    fix = f"Use one of {', '.join(list(at)[:8])}{' …' if len(at) > 8 else ''}."
    return Mistake(here, f"there is no layer at {where}", "", fix)
