"""Check: the plan of an experiment, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.cli.errors import print_mistakes, refuse
from tui.cli.options import Fold, Json, PresetOrFile, Set, changes, command_group
from tui.tables.text import json_line

commands = command_group()


@commands.command()
def check(
    experiment: PresetOrFile,
    set_: Set = None,
    fold: Fold = None,
    as_json: Json = False,
    weights: Annotated[bool, typer.Option("--weights", help="Also print the initial weights of each layer.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="First apply the safe fixes to the file.")] = False,
) -> None:
    """Print the plan of an experiment, or every mistake in it.

    The plan: data, layer table, parameters, FLOPs, memory. Nothing is trained.
    """
    from engine import read_document

    overrides = changes(set_, fold)
    if fix:
        from tui.cli.file_fixes import fix_file

        if problem := fix_file(experiment, overrides):
            refuse(problem)
    from engine import check
    from tui.printing.plan import plan_as_dict, plan_as_text, weights_as_dicts, weights_as_text
    from tui.printing.progress import reading_progress

    with reading_progress():
        plan = check(read_document(experiment, overrides))
    initial = None
    if weights and plan.ok and plan.description is not None:
        from engine import init_statistics

        initial = init_statistics(plan.experiment, plan.description)
    if as_json:
        more = {} if initial is None else {"weights": weights_as_dicts(initial)}
        print(json_line(plan_as_dict(plan) | more))
    else:
        if plan.layers:
            print(plan_as_text(plan))
        if initial:
            print(f"\n{weights_as_text(initial)}")
        print_mistakes(plan.mistakes)
    raise typer.Exit(0 if plan.ok else 2)
