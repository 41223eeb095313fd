"""Probe: short tests of an experiment before it is trained."""

from __future__ import annotations

from typing import Literal

import typer

from tui.cli.errors import print_mistakes
from tui.cli.options import Json, PresetOrFile, Set, command_group

commands = command_group(
    "probe",
    "Test an experiment before training it.\n\nLearning rate, gradients, one batch. No run is recorded.",
    no_args_is_help=True,
)


@commands.command("rate")
def rate(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Find a learning rate.

    The rate grows at every step. The suggested rate is where the loss falls most steeply.
    """
    raise typer.Exit(_probe("rate", experiment, set_, as_json))


@commands.command("gradients")
def gradients(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Check the gradients of each layer numerically.

    torch.autograd.gradcheck compares the backward pass of each layer with numerical differences, in float64.
    """
    raise typer.Exit(_probe("gradients", experiment, set_, as_json))


@commands.command("one-batch")
def one_batch(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Train on one batch to see whether the model can learn.

    A model that cannot memorize one batch cannot learn from many. The probe shows why.
    """
    raise typer.Exit(_probe("one-batch", experiment, set_, as_json))


def _probe(kind: Literal["rate", "gradients", "one-batch"], experiment: str, set_: list[str] | None, json: bool) -> int:
    from engine import keep_freed_memory, read_document
    from tui.printing.probes import interrupted, print_probe
    from tui.printing.progress import reading_progress
    from tui.services.producer import probe_records

    try:
        keep_freed_memory()
        from engine import check

        with reading_progress():
            plan = check(read_document(experiment, set_ or []))
        print_mistakes(plan.mistakes)
        return print_probe(probe_records(kind, plan)(lambda: False), as_json=json) if plan.ok else 2
    except KeyboardInterrupt:
        return interrupted()
