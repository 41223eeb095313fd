"""Follow one sample through all layers of a network, and through the layers inside containers.

The figures of a container include everything in it, so that those of a network are the sum over its outermost layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from engine.catalog.choices import check_parameters
from engine.catalog.layers import layer_specs
from engine.catalog.layers.checks import wrong_input
from engine.catalog.layers.signal import DataFacts, Signal, shape_text
from engine.catalog.layers.spec import LayerSpec
from engine.experiment.document import Layer
from engine.experiment.mistakes import LAST_LAYER, Mistake, append, put
from engine.experiment.tree import CONTAINER_FIELDS, DEEPEST, Place, backwards
from engine.model.containers import CONTAINERS
from engine.model.trace import Traced, trace_leaf

_FLOAT_BYTES = 4


def trace(
    layers: Sequence[Layer], signal: Signal | None, facts: DataFacts, set_aside: Collection[str] = ()
) -> tuple[Traced, ...]:
    """Trace every layer in order; mistakes have their path in the document.

    After a layer with a mistake the trace continues as if it was fixed, where its output is then known. Otherwise only
    the parameters of the layers after it are checked.

    Args:
        signal: the input of the network; None where it is not known.
        set_aside: paths of layers that are placeholders for layers that could not be read.
    """
    traced = list(chain(layers, signal, facts, set_aside))
    signal = traced[-1].signal if traced else None
    if signal is not None:
        wrong = _output_mistake(layers, signal, facts)
        if wrong is not None and not any(layer.mistakes for layer in everything(traced[-1:])):
            traced[-1] = replace(traced[-1], mistakes=(wrong,))
    return tuple(traced)


def everything(traced: Iterable[Traced]) -> Iterator[Traced]:
    """Every layer in reading order, containers before the layers in them."""
    for layer in traced:
        yield layer
        yield from everything(layer.inside)


def chain(
    layers: Sequence[Layer],
    signal: Signal | None,
    facts: DataFacts,
    set_aside: Collection[str] = (),
    path: str = "model.layers",
    depth: int = 0,
) -> Iterator[Traced]:
    """Trace the layers of one list, each with the output of the one before."""
    for index, layer in enumerate(layers):
        here = f"{path}[{index}]"
        if here in set_aside:
            signal = None
        if layer.type in CONTAINERS:
            found = trace_container(layer, signal, facts, set_aside, here, depth)
        else:
            found = trace_leaf(layer, signal, facts, here)
        signal = found.signal
        yield found


def trace_container(
    layer: Layer, signal: Signal | None, facts: DataFacts, set_aside: Collection[str], path: str, depth: int
) -> Traced:
    """Trace a Residual, Repeat, Concat or Sequential with all layers in it."""
    given = layer.parameters | {name: () for name in CONTAINER_FIELDS if getattr(layer, name) is not None}
    checked = check_parameters(layer_specs()[layer.type], given, path)
    own = Traced(label=label(layer, checked.parameters), path=path, mistakes=checked.mistakes)
    if depth >= DEEPEST:
        found = f"it is nested {depth} layers deep"
        deep = Mistake(path, found, f"expected at most {DEEPEST}", "Use fewer levels.", layer.type)
        return replace(own, mistakes=(*own.mistakes, deep))
    if not checked.whole:
        signal = None

    def inside(name: str, layers: Sequence[Layer], before: Signal | None) -> tuple[Traced, ...]:
        return tuple(chain(layers, before, facts, set_aside, f"{path}.{name}", depth + 1))

    if layer.type == "Repeat":
        return _repeated(own, layer, signal, int(checked.parameters.get("times", 1)), inside)
    if layer.type == "Concat":
        return _branches(own, layer, signal, facts, inside)
    body = inside("layers", layer.layers or (), signal)
    after = body[-1].signal if body else signal
    if layer.type == "Sequential":
        return replace(_with_layers(own, body), signal=after)
    shortcut = inside("shortcut", layer.shortcut or (), signal)
    whole = _with_layers(own, (*body, *shortcut))
    short = shortcut[-1].signal if shortcut else signal
    if signal is None or after is None or short is None:
        return whole
    if wrong := _token_mistake(layer, after, facts, path):
        return replace(whole, mistakes=(*whole.mistakes, wrong))
    if short.shape == after.shape:
        return replace(whole, signal=after.of(after.shape))
    made = projection(signal, after) if layer.shortcut is None else None
    if made is None:
        found = f"its body gives {after}"
        expected = (
            f"{'its shortcut gives' if layer.shortcut is not None else 'its input is'} {short}, which cannot be added"
        )
        fix = 'Keep the size in the body (padding = "same"), or add a shortcut that outputs the same shape.'
        return replace(whole, mistakes=(*whole.mistakes, Mistake(path, found, expected, fix, layer.type)))
    added = trace_leaf(made, signal, facts)
    return replace(
        _with_figures(whole, (added,)), signal=after.of(after.shape), label=f"{whole.label}, shortcut {added.label}"
    )


def projection(before: Signal, after: Signal) -> Layer | None:
    """The shortcut of a Residual whose body changes the shape: a 1×1 convolution with the body's stride, or a Linear.

    Option B of He et al., 2016, https://arxiv.org/abs/1512.03385. None where no such layer has the output shape.
    """
    if before.kind != after.kind or len(before.shape) != len(after.shape):
        return None
    if before.kind in ("vector", "sequence"):
        fits = before.shape[:-1] == after.shape[:-1]
        return _layer("Linear", out_features=after.shape[-1]) if fits else None
    if before.kind not in ("image", "signal"):
        return None
    strides = [-(-b // a) for b, a in zip(before.shape[1:], after.shape[1:], strict=True)]
    if any((b - 1) // s + 1 != a for b, a, s in zip(before.shape[1:], after.shape[1:], strides, strict=True)):
        return None
    stride = strides[0] if len(set(strides)) == 1 else strides
    return _layer(f"Conv{len(strides)}d", out_channels=after.shape[0], kernel_size=1, stride=stride)


def _layer(type: str, **parameters: Any) -> Layer:
    return Layer.model_validate({"type": type, **parameters})


def label(layer: Layer, parameters: dict[str, Any]) -> str:
    """A container in a few words: `Repeat 3×`."""
    if layer.type == "Repeat":
        return f"Repeat {parameters.get('times', '?')}×"
    if layer.type == "Concat":
        count = len(layer.branches or ())
        return f"Concat of {count} branch{'es' * (count != 1)}"
    if layer.type == "Residual" and parameters.get("drop_path"):
        return f"Residual, drop path {parameters['drop_path']:g}"
    return f"{layer.type} {parameters.get('name') or ''}".strip()


def joined(signals: Sequence[Signal]) -> Signal | None:
    """The output of branches joined along channels or features; None where their shapes do not allow it."""
    first = signals[0]
    dim = join_dim(first)
    rest = [s.shape[:dim] + s.shape[dim + 1 :] for s in signals]
    if any(s.kind != first.kind for s in signals) or any(r != rest[0] for r in rest):
        return None
    shape = (*first.shape[:dim], sum(s.shape[dim] for s in signals), *first.shape[dim + 1 :])
    return first.of(shape)


def join_dim(signal: Signal) -> int:
    """The dimension of channels or features, without the batch: the first, but the last of a sequence."""
    return len(signal.shape) - 1 if signal.kind == "sequence" else 0


def _token_mistake(layer: Layer, inner: Signal, facts: DataFacts, path: str) -> Mistake | None:
    """The mistake of a container of tokens: they are indices, which cannot be added or joined."""
    wrong = wrong_input(layer_specs()[layer.type], inner, facts)
    return None if wrong is None else replace(wrong[0], path=path)


def _branches(own: Traced, layer: Layer, signal: Signal | None, facts: DataFacts, inside: Any) -> Traced:
    branches = [inside(f"branches[{i}]", branch, signal) for i, branch in enumerate(layer.branches or ())]
    whole = _with_layers(own, [traced for branch in branches for traced in branch])
    ends = [branch[-1].signal if branch else signal for branch in branches]
    known = [end for end in ends if end is not None]
    if signal is None or not known or len(known) < len(ends):
        return whole
    if wrong := _token_mistake(layer, known[0], facts, own.path):
        return replace(whole, mistakes=(*whole.mistakes, wrong))
    together = joined(known)
    if together is None:
        found = f"its branches give {' and '.join(shape_text(end.shape) for end in known)}"
        expected = "only their channels or features may differ"
        fix = 'Make the other sizes equal, for example with padding = "same" and equal strides.'
        return replace(whole, mistakes=(*whole.mistakes, Mistake(own.path, found, expected, fix, layer.type)))
    return replace(whole, signal=together, activation_bytes=whole.activation_bytes + together.numel * _FLOAT_BYTES)


def _repeated(own: Traced, layer: Layer, signal: Signal | None, times: int, inside: Any) -> Traced:
    body = inside("layers", layer.layers or (), signal)
    whole, seen = _with_layers(own, body), {(m.path, m.found) for t in everything(body) for m in t.mistakes}
    extra: list[Mistake] = []
    for done in range(1, times):
        after = body[-1].signal if body else signal
        if signal is None or after is None:
            break
        if after.of(after.shape) == signal.of(signal.shape):
            # All further copies are like the last one.
            for _ in range(times - done):
                whole = _with_figures(whole, body)
            break
        signal, body = after, inside("layers", layer.layers or (), after)
        whole = _with_figures(whole, body)
        new = [m for t in everything(body) for m in t.mistakes if (m.path, m.found) not in seen]
        seen |= {(m.path, m.found) for m in new}
        extra += [replace(m, found=f"in copy {done + 1}, {m.found}") for m in new]
    after = body[-1].signal if body else signal
    return replace(whole, signal=after, mistakes=(*whole.mistakes, *extra))


def _with_layers(own: Traced, inside: Iterable[Traced]) -> Traced:
    """A container with the layers in it and their figures."""
    held = tuple(inside)
    return replace(_with_figures(own, held), inside=held)


def _with_figures(whole: Traced, more: Iterable[Traced]) -> Traced:
    layers = tuple(more)
    return replace(
        whole,
        parameters=whole.parameters + sum(t.parameters for t in layers),
        frozen=whole.frozen + sum(t.frozen for t in layers),
        flops=whole.flops + sum(t.flops for t in layers),
        activation_bytes=whole.activation_bytes + sum(t.activation_bytes for t in layers),
    )


def _output_mistake(layers: Sequence[Layer], signal: Signal, facts: DataFacts) -> Mistake | None:
    """The mistake of a network whose output is not what the data and the loss need."""
    if signal.shape == ((facts.outputs,) if facts.steps is None else (facts.steps, facts.outputs)):
        return None
    last, *before = backwards(layers)
    if facts.steps is not None and (mistake := _not_at_every_step(last, signal, facts)):
        return mistake
    if signal.kind != ("vector" if facts.steps is None else "sequence"):
        gives = f"the network ends with {signal}"
        recurrent = next((place for place in (last, *before) if _spec(place).summarizes), None)
        if signal.kind == "sequence" and recurrent is not None:
            fix, remedy = f'Set output = "last" in {recurrent.path}.', put("last", f"{recurrent.path}.output")
        else:
            fix = 'End with Flatten and {type = "Linear", out_features = "auto"}.'
            remedy = append("Flatten", LAST_LAYER)
        return Mistake(last.path, gives, facts.wants, fix, last.layer.type, remedy=remedy)
    place = next((p for p in (last, *before) if not _spec(p).keeps_shape), last)
    if mistake := _spec(place).outputs_mistake(place.layer.parameters, signal, facts):
        return replace(mistake, path=place.path, subject=place.layer.type)
    fix = 'Add {type = "Linear", out_features = "auto"} at the end.'
    found = f"it gives {signal.shape[-1]} numbers"
    return Mistake(last.path, found, facts.wants, fix, last.layer.type, remedy=append(LAST_LAYER))


def _spec(place: Place) -> LayerSpec:
    return layer_specs()[place.layer.type]


def _not_at_every_step(last: Place, signal: Signal, facts: DataFacts) -> Mistake | None:
    """The mistake of a language model that has no output for every step."""
    if signal.kind == "sequence" and signal.shape[0] == facts.steps:
        return None
    gives = f"the network ends with {signal}"
    if signal.summarized_by:
        fix, remedy = (
            f'Set output = "sequence" in {signal.summarized_by}.',
            put("sequence", f"{signal.summarized_by}.output"),
        )
        return Mistake(last.path, gives, facts.wants, fix, last.layer.type, remedy=remedy)
    fix = 'Keep the sequence to the end: Embedding, LSTM with output = "sequence", Linear.'
    return Mistake(last.path, gives, facts.wants, fix, last.layer.type)
