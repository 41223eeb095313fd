"""From a document to its plan, without training: a pipeline of stages over one CheckContext."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.experiment.document import Experiment
from engine.experiment.draft import Draft
from engine.plan import rules
from engine.plan.completion import without_nones
from engine.plan.context import PLACEHOLDER, CheckContext
from engine.plan.plan import Plan
from engine.plan.stages.choices import choices
from engine.plan.stages.data import data
from engine.plan.stages.model import model
from engine.plan.stages.resources import resources
from engine.plan.stages.result import plan
from engine.plan.stages.schedule import schedule

__all__ = ["STAGES", "check", "rules"]

STAGES: tuple[Callable[[CheckContext], CheckContext], ...] = (data, model, choices, schedule, resources)
"""Each adds what it finds out, and every mistake; then `plan` makes the plan of what is known."""


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Run torch's operations of this thread without helper threads.

    OpenMP keeps a team of threads for every thread that has asked for one, and once all teams together are more than
    the cores, each of them sleeps between two operations where it would have waited awake. One tensor that `check`
    made on the main thread with a team cost an LSTM that another thread trains 17 % of its speed: 75,000 context
    switches in place of 800.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_single_threaded()
def check(draft: Draft | Experiment, recorded: RecordedData = NOTHING_RECORDED) -> Plan:
    """The plan of a document. Mistakes of the document are in the plan, never raised.

    Args:
        recorded: the orders of classes and categories that a resumed run began with.
    """
    draft = Draft(draft) if isinstance(draft, Experiment) else draft
    if draft.experiment is None:
        return Plan(experiment=PLACEHOLDER, mistakes=draft.mistakes)
    context = CheckContext(draft=draft, experiment=without_nones(draft.experiment), recorded=recorded)
    for stage in STAGES:
        context = stage(context)
    return plan(context)
