"""Layers that a field of the document names: whether there are any, and whether they have weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.catalog import catalog
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake, unknown_name
from engine.experiment.tree import by_path


def named_layer_mistakes(
    names: Sequence[str | int], path: str, layers: Sequence[Layer], parameters: Mapping[str, int], weightless: str
) -> Iterator[Mistake]:
    """What is wrong with layers named by index, path or type in the list at `path`.

    Args:
        parameters: how many each layer has, by its path; without the layers of which that is not known.
        weightless: what a mistake says of a layer that has none.
    """
    at = {path: layer.type for path, layer in by_path(layers).items()}
    types = list(dict.fromkeys(at.values()))
    for index, name in enumerate(names):
        here = f"{path}[{index}]"
        where = f"model.layers[{name}]" if isinstance(name, int) else f"model.{name.removeprefix('model.')}"
        if where in at:
            meant = [where]
        elif isinstance(name, int) or "[" in name:
            fix = f"Take one of {', '.join(list(at)[:8])}{' …' if len(at) > 8 else ''}."
            yield Mistake(here, f"there is no layer at {where}", "", fix)
            continue
        elif name in types:
            meant = [layer for layer, type in at.items() if type == name]
        elif name in catalog("layers"):
            yield Mistake(here, f"the model has no {name}", f"it has {', '.join(types)}", "Take one of these.")
            continue
        else:
            yield unknown_name(here, name, types, "a layer of the model")
            continue
        if all(parameters.get(layer) == 0 for layer in meant):
            yield Mistake(here, f"{at[meant[0]]} has no weights", weightless, "Take it out.")
