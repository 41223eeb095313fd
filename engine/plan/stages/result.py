"""The last stage: from what is known to the plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.data import to_download
from engine.experiment.mistakes import Mistake
from engine.plan.completion import with_every_default
from engine.plan.context import CheckContext
from engine.plan.plan import LayerPlan, Plan


def plan(context: CheckContext) -> Plan:
    """The plan; its experiment is complete where there is no error."""
    experiment, files, groups = context.experiment, context.files, context.groups or ()
    mistakes = context.draft.with_mistakes(context.mistakes)
    if all(mistake.severity != "error" for mistake in mistakes):
        experiment = with_every_default(experiment)
    return Plan(
        experiment=experiment,
        description=context.description,
        layers=_layer_plans(context, mistakes, {file.path: file.note for file in files}),
        groups=groups if len(groups) > 1 else (),
        parameters=context.parameters,
        frozen=context.frozen,
        flops=context.flops,
        memory_bytes=context.memory_bytes,
        device=context.device,
        precision=context.precision,
        threads=context.threads,
        steps_per_epoch=context.steps_per_epoch,
        steps=context.steps_per_epoch * context.epochs,
        lr=context.lr,
        group_rates=context.group_rates,
        downloads=(
            *filter(None, [to_download(context.experiment.data)]),
            *(file.download for file in files if not file.is_downloaded),
        ),
        mistakes=mistakes,
    )


def _layer_plans(
    context: CheckContext, mistakes: Sequence[Mistake], published: Mapping[str, str]
) -> tuple[LayerPlan, ...]:
    places = {place.path: place for place in context.places}
    own: dict[str, list[Mistake]] = {result.path: [] for result in context.layers}
    for mistake in mistakes:
        # A mistake stands at the innermost layer that it lies in.
        around = [path for path in own if re.match(re.escape(path) + r"(?:[.\[]|$)", mistake.path)]
        if around:
            own[max(around, key=len)].append(mistake)
    return tuple(
        LayerPlan(
            path=result.path,
            number=places[result.path].number,
            depth=places[result.path].depth,
            type=places[result.path].layer.type,
            label=result.label,
            output_shape=result.signal.shape if result.signal is not None else None,
            parameters=result.parameters,
            frozen=result.frozen,
            flops=result.flops,
            activation_bytes=result.activation_bytes,
            notes=result.notes,
            published=published.get(result.path, ""),
            mistake=min(own[result.path], key=lambda m: m.severity, default=None),
        )
        for result in context.layers
    )
