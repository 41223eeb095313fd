"""Every way in: the `torchdeck` command.

What a command prints for people goes to stderr where a program may read its stdout; with `--json` stdout holds JSON
alone. Exit status: 0 done, 1 the run failed, 2 what was asked is wrong, 130 interrupted with everything saved.
Nothing here imports torch before a command needs it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from tui.end_of_process import ending_at_once, say_when_terminated
from tui.printing.narrow_locale import show_what_the_locale_lacks
from tui.printing.text import columns, json_line, plain

if TYPE_CHECKING:
    from engine.protocol.commands import Hold

app = typer.Typer(
    name="torchdeck",
    help="Build a network in panels, train it with PyTorch, watch it learn. Without a command: the deck.",
    no_args_is_help=False,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs_app = typer.Typer(help="List, show or remove runs.", rich_markup_mode=None)
app.add_typer(runs_app, name="runs")
probe_app = typer.Typer(
    help="Test an experiment before training it.\n\nLearning rate, gradients, one batch. No run is made.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(probe_app, name="probe")

PresetOrFile = Annotated[str, typer.Argument(metavar="PRESET|FILE", help="A preset's name, or a TOML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a field of the experiment: optimizer.lr=3e-4. Repeatable."
    ),
]
Fold = Annotated[
    str | None,
    typer.Option("--fold", metavar="K/N", help="Validate on part K of N, as --set data.fold=K/N does: 2/5."),
]


def _also_given_before(context: typer.Context, value: str | None) -> str | None:
    """An option that may stand before the name of a subcommand as well as after it; the last one holds."""
    if value is not None:
        context.meta["runs_dir"] = value
    return context.meta.get("runs_dir")


RunsDir = Annotated[
    str | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        help="The folder of runs. Default: $TORCHDECK_RUNS, the settings, or ./runs.",
        callback=_also_given_before,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Run in the background; closing the terminal does not stop it."),
]
Headless = Annotated[bool, typer.Option("--headless", help="Train without the deck; progress goes to stderr.")]
Run = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's name or its beginning. Default: the newest run.")
]

LiveRun = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's name or its beginning. Default: the newest active run."),
]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long to wait for an answer.")]


@app.callback(invoke_without_command=True)
def deck(
    context: typer.Context,
    runs_dir: RunsDir = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Open the deck: presets and runs."""
    if version:
        from importlib.metadata import version as installed

        print(f"torchdeck {installed('torchdeck')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from tui.launch import run_deck, terminal_problem

        if problem := terminal_problem():
            _refuse([f"The deck needs a terminal: {problem}. See torchdeck --help for commands that do not."])
        raise typer.Exit(run_deck(runs_dir=_runs_dir(runs_dir)))


@app.command()
def train(
    experiment: PresetOrFile,
    set_: Set = None,
    fold: Fold = None,
    headless: Headless = False,
    as_json: Json = False,
    detach: Detach = False,
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="Name the run.")] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Train an experiment.

    On a terminal this opens the deck. With --headless or --json, or without a terminal, progress goes to stderr.
    """
    if detach:
        named = [] if name is None else ["--name", name]
        changes = [part for change in _changes(set_, fold) for part in ("--set", change)]
        _detach(
            ["train", "--headless", *changes, *named, "--runs-dir", str(_runs_dir(runs_dir)), "--", experiment],
            as_json=as_json,
        )
    from engine.experiment import read

    overrides = [*_changes(set_, fold), *([f"name={json.dumps(name)}"] if name is not None else [])]
    draft = read(experiment, overrides)
    directory = _runs_dir(runs_dir)
    if headless or as_json or _terminal_problem():
        from tui.headless import train_headless

        raise typer.Exit(train_headless(draft, directory, as_json=as_json))
    if draft.experiment is None:
        _refuse(draft.mistakes)
    from tui.launch import run_deck

    raise typer.Exit(run_deck(runs_dir=directory, draft=draft, source=experiment, train=True))


@app.command()
def design(experiment: PresetOrFile, set_: Set = None, runs_dir: RunsDir = None) -> None:
    """Open the deck on an experiment to view and change it."""
    from engine.experiment import read
    from tui.launch import run_deck, terminal_problem

    if problem := terminal_problem():
        _refuse([f"The deck needs a terminal: {problem}. torchdeck check {experiment} prints the plan."])
    draft = read(experiment, set_ or [])
    if not draft.text:
        _refuse(draft.mistakes)
    raise typer.Exit(run_deck(runs_dir=_runs_dir(runs_dir), draft=draft, source=experiment))


@app.command()
def resume(
    run: Run = None,
    set_: Set = None,
    headless: Headless = False,
    as_json: Json = False,
    detach: Detach = False,
    paused: Annotated[bool, typer.Option("--paused", help="Start paused, before the first step.")] = False,
    released: Annotated[
        bool, typer.Option("--released", help="Start paused, without allocating device memory.")
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Continue a run from its last checkpoint.

    The results are those of a run without the interruption. --set changes training.epochs, the patience or the device.
    """
    from engine.runs import find_run

    path, overrides = find_run(_runs_dir(runs_dir), run), tuple(set_ or ())
    hold: Hold | None = "release" if released else "pause" if paused else None
    if detach:
        changes = [f"--set={override}" for override in overrides] + [f"--{hold}d"] * (hold is not None)
        _detach(["resume", "--headless", *changes, "--", str(path)], hold=hold, as_json=as_json)
    if headless or as_json or _terminal_problem():
        from tui.headless import resume_headless

        raise typer.Exit(resume_headless(path, overrides, as_json=as_json, hold=hold))
    from tui.launch import run_deck

    raise typer.Exit(run_deck(runs_dir=path.parent, resume=path, overrides=overrides, hold=hold))


@app.command()
def attach(run: Run = None, headless: Headless = False, as_json: Json = False, runs_dir: RunsDir = None) -> None:
    """Watch a run that trains in another process, or has ended.

    Closing the deck does not stop the run.
    """
    from engine.runs import find_run

    directory = _runs_dir(runs_dir)
    path = find_run(directory, run)
    if headless or as_json:
        from tui.headless import attach_headless

        raise typer.Exit(attach_headless(path, as_json=as_json))
    from tui.launch import run_deck

    if problem := _terminal_problem():
        fix = f"torchdeck attach {path.name} --headless prints what it does."
        _refuse([f"The deck needs a terminal: {problem}. {fix}"])
    raise typer.Exit(run_deck(runs_dir=directory, open_run=path))


@app.command()
def stop(run: LiveRun = None, runs_dir: RunsDir = None, timeout: Timeout = 60.0) -> None:
    """Stop a run at its next step and keep its model.

    The command returns when everything is saved.
    """
    _ask("stop", run, runs_dir, timeout)


@app.command()
def pause(
    run: LiveRun = None,
    release: Annotated[bool, typer.Option("--release", help="Free the device memory while the run is paused.")] = False,
    runs_dir: RunsDir = None,
    timeout: Timeout = 60.0,
) -> None:
    """Pause a run at its next step.

    `torchdeck continue` continues it.
    """
    _ask("release" if release else "pause", run, runs_dir, timeout)


@app.command("continue")
def continue_(run: LiveRun = None, runs_dir: RunsDir = None, timeout: Timeout = 60.0) -> None:
    """Continue a paused run."""
    _ask("continue", run, runs_dir, timeout)


@app.command()
def check(
    experiment: PresetOrFile,
    set_: Set = None,
    fold: Fold = None,
    as_json: Json = False,
    weights: Annotated[bool, typer.Option("--weights", help="Print the initial weights of each layer, too.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the fixes that need no thought to the file first.")] = False,
) -> None:
    """Print the plan of an experiment, or every mistake in it.

    The plan: data, layer table, parameters, FLOPs, memory. Nothing is trained.
    """
    from engine.experiment import read

    changes = _changes(set_, fold)
    if fix:
        from tui.mending import mend

        if problem := mend(experiment, changes):
            _refuse([problem])
    from engine.plan import check as plan_of
    from tui.printing.plan import plan_as_dict, plan_as_text, weights_as_dicts, weights_as_text
    from tui.reading import reading_shown

    with reading_shown():
        plan = plan_of(read(experiment, changes))
    starts = None
    if weights and plan.ok and plan.description is not None:
        from engine.model.init_statistics import init_statistics

        starts = init_statistics(plan.experiment, plan.description)
    if as_json:
        more = {} if starts is None else {"weights": weights_as_dicts(starts)}
        print(json_line(plan_as_dict(plan) | more))
    else:
        if plan.layers:
            print(plan_as_text(plan))
        if starts:
            print(f"\n{weights_as_text(starts)}")
        _print_mistakes(plan.mistakes)
    raise typer.Exit(0 if plan.ok else 2)


@probe_app.command("rate")
def probe_rate(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Find a learning rate.

    The rate grows at every step; the suggested rate is where the loss falls most steeply.
    """
    raise typer.Exit(_probe("rate", experiment, set_, as_json))


@probe_app.command("gradients")
def probe_gradients(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Check the gradients of each layer numerically.

    torch.autograd.gradcheck compares the backward pass of each layer with numerical differences, in float64.
    """
    raise typer.Exit(_probe("gradients", experiment, set_, as_json))


@probe_app.command("one-batch")
def probe_one_batch(experiment: PresetOrFile, set_: Set = None, as_json: Json = False) -> None:
    """Train on one batch to see whether the model can learn.

    A model that cannot memorise one batch does not learn from many; this shows why.
    """
    raise typer.Exit(_probe("one-batch", experiment, set_, as_json))


@app.command()
def data(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|PRESET|FILE", help="A data source; or an experiment, for its data.")
    ],
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Show samples, classes, shapes and ranges of a data source."""
    from tui.printing.data import data_as_dict, data_draft, print_data

    draft = data_draft(source, set_ or [])
    if draft.experiment is None or draft.mistakes:
        _refuse(draft.mistakes)
    from engine.data import fetch
    from engine.data.preview import preview
    from engine.data.settling import known_data
    from tui.reading import reading_shown

    with reading_shown():
        fetch(draft.experiment.data)
        found = preview(known_data(draft.experiment).data, draft.experiment.seed)
    if as_json:
        print(json_line(data_as_dict(found)))
    else:
        print_data(found, draft.experiment, sys.stdout)


@app.command()
def presets(name: Annotated[str | None, typer.Argument(metavar="NAME", help="Print this one as TOML.")] = None) -> None:
    """List the presets, or print one as TOML.

    torchdeck presets digits-cnn > mine.toml writes a preset to a file.
    """
    from engine.experiment.mistakes import unknown_name
    from engine.experiment.presets import preset_names, preset_text
    from engine.experiment.presets import presets as all_presets

    if name is None:
        print(columns((p.name, p.summary) for p in all_presets()))
    elif name in preset_names():
        print(preset_text(name), end="")
    else:
        _refuse([unknown_name("preset", name, preset_names(), "a preset")])


@app.command()
def catalog(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind, such as layers, losses or optimizers.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One entry of that kind.")] = None,
    as_json: Json = False,
) -> None:
    """List what can be chosen, or explain one entry.

    With NAME: its parameters, their defaults, and when to use it.
    """
    from tui.printing.catalog import catalog_text

    print(catalog_text(kind, name, as_json=as_json))


@app.command()
def settings(
    as_json: Json = False,
    edit: Annotated[
        bool, typer.Option("--edit", help="Open the file in $EDITOR; it is made if it is not there.")
    ] = False,
) -> None:
    """Show the settings, their defaults and every mistake in them."""
    from tui.deck.settings import settings_file
    from tui.printing.settings import edit_file, print_settings, settings_as_dict

    file = settings_file()
    if edit and (problem := edit_file(file)):
        _refuse([problem])
    shown = settings_as_dict(file)
    if as_json:
        print(json_line(shown))
    elif not edit:
        print_settings(shown, sys.stdout)
    if shown["mistakes"]:
        _refuse(shown["mistakes"])


@app.command()
def devices(as_json: Json = False) -> None:
    """List the devices to train on."""
    from dataclasses import asdict

    from engine.devices import devices as found
    from tui.quantities import scaled_text

    if as_json:
        print(json_line([asdict(d) for d in found()]))
        return
    rows = [("device", "name", "memory", "free", "precisions", "")]
    for d in found():
        free = "" if d.free_bytes is None else scaled_text(d.free_bytes, "B")
        rows.append((d.device, d.name, scaled_text(d.memory_bytes, "B"), free, " ".join(d.precisions), d.note))
    print(columns(rows))


@runs_app.callback(invoke_without_command=True)
def runs(context: typer.Context, runs_dir: RunsDir = None, as_json: Json = False) -> None:
    """List runs, newest first."""
    directory = _runs_dir(runs_dir)
    context.obj = as_json
    if context.invoked_subcommand is None:
        from tui.printing.runs import runs_as_json, runs_as_text

        _finish_removals(directory)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(runs_as_json(directory) if as_json else runs_as_text(directory, width))


@runs_app.command("show")
def runs_show(context: typer.Context, run: Run = None, as_json: Json = False, runs_dir: RunsDir = None) -> None:
    """Show one run: its experiment, its epochs and its end."""
    from engine.runs import find_run
    from tui.printing.runs import run_as_json, run_as_text

    path = find_run(_runs_dir(runs_dir), run)
    print(run_as_json(path) if as_json or context.obj else run_as_text(path))


@runs_app.command("rm")
def runs_rm(
    runs_: Annotated[list[str], typer.Argument(metavar="RUN…", help="Names of runs.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Remove runs and their checkpoints.

    A run that is active is not removed.
    """
    from engine.runs import find_run, list_runs, remove_run

    directory = _runs_dir(runs_dir)
    _finish_removals(directory)
    paths = list(dict.fromkeys(find_run(directory, run) for run in runs_))
    if outside := [str(p) for p in paths if p.parent != directory]:
        _refuse([f"{', '.join(outside)}: it is not in {directory}. Name its folder with --runs-dir."])
    live = {r.path for r in list_runs(directory) if r.status == "live"}
    if going := [p.name for p in paths if p in live]:
        _refuse([f"{', '.join(going)}: an active run is not removed. Stop it first."])
    names = ", ".join(p.name for p in paths)
    if not yes and not sys.stdin.isatty():
        _refuse([f"{names}: there is no terminal to confirm on. Pass --yes to remove without asking."])
    if not yes and not typer.confirm(plain(f"Remove {names} for good?"), err=True):
        raise typer.Exit(1)
    for path in paths:
        remove_run(path)


def main() -> None:
    """The console script."""
    say_when_terminated()
    with ending_at_once():
        _run()


def _run() -> None:
    from engine.experiment.mistakes import Refused

    show_what_the_locale_lacks()
    try:
        app(standalone_mode=True)
    except Refused as refused:
        _refuse(refused.mistakes, leave=False)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`torchdeck presets | head`): not worth a traceback at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


def _probe(kind: Literal["rate", "gradients", "one-batch"], experiment: str, set_: list[str] | None, json: bool) -> int:
    from engine.experiment import read
    from engine.training.allocator import keep_freed_memory
    from tui.deck.producer import probe_records
    from tui.printing.probes import interrupted, print_probe
    from tui.reading import reading_shown

    try:
        keep_freed_memory()
        from engine.plan import check as plan_of

        with reading_shown():
            plan = plan_of(read(experiment, set_ or []))
        _print_mistakes(plan.mistakes)
        return print_probe(probe_records(kind, plan)(lambda: False), as_json=json) if plan.ok else 2
    except KeyboardInterrupt:
        return interrupted()


def _ask(
    command: Literal["stop", "pause", "release", "continue"], run: str | None, runs_dir: str | None, timeout: float
) -> None:
    from engine.experiment.mistakes import Refused
    from engine.protocol.commands import Simple
    from engine.protocol.events import Finished
    from engine.runs import ask, find_run
    from tui.answers import answer_text
    from tui.last_words import of_end

    path = find_run(_runs_dir(runs_dir), run, live=True)
    try:
        answer = ask(path, Simple(command=command), timeout_s=timeout)
    except Refused as refused:
        _print_mistakes(refused.mistakes)
        raise typer.Exit(1) from refused
    if isinstance(answer, Finished):
        print("\n".join(of_end(path, answer)), file=sys.stderr)
    else:
        print(plain(f"{path.name}: {answer_text(answer)}"), file=sys.stderr)


def _finish_removals(runs_dir: Path) -> None:
    from engine.runs import finish_removals

    for name in finish_removals(runs_dir):
        print(plain(f"{name}: its removal was interrupted; it is removed now."), file=sys.stderr)


def _changes(set_: list[str] | None, fold: str | None) -> list[str]:
    """What --set and --fold change of a document, as --set says it.

    A fold is validated on instead of a share: what the document says of that is put back to its default.
    """
    if fold is None:
        return set_ or []
    from engine.experiment import Data

    default = Data.model_fields["validation"].default
    return [f"data.validation={default}", *(set_ or []), f"data.fold={fold}"]


def _detach(arguments: list[str], *, hold: Hold | None = None, as_json: bool) -> NoReturn:
    from tui.detach import begin_detached

    raise typer.Exit(begin_detached(arguments, hold=hold, as_json=as_json))


def _terminal_problem() -> str | None:
    from tui.launch import terminal_problem

    return terminal_problem()


def _runs_dir(option: str | None) -> Path:
    from engine.runs import runs_dir
    from tui.deck.settings import read_settings, settings_file

    if option is None and not os.environ.get("TORCHDECK_RUNS") and (file := settings_file()) and os.path.isfile(file):
        settings, wrong = read_settings()
        _print_mistakes(one for one in wrong if one.key in ("", "runs_dir"))
        option = settings.runs_dir
    return runs_dir(option)


def _print_mistakes(mistakes: Iterable[object]) -> None:
    for mistake in mistakes:
        warning = "warning: " if getattr(mistake, "severity", "error") == "warning" else ""
        print(f"{warning}{plain(str(mistake))}", file=sys.stderr)


def _refuse(mistakes: Iterable[object], *, leave: bool = True) -> NoReturn:
    _print_mistakes(mistakes)
    if leave:
        raise typer.Exit(2)
    sys.exit(2)


if __name__ == "__main__":
    main()
