"""A run that ends no better than its baseline is not shown as a success: in its end, in the list, on the screen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from engine.protocol.events import Reason
from engine.runs import summarize
from engine.runs.run_state import epoch_metrics
from tests import warm_torchdeck
from tui.run_status import shown
from tui.run_view import RunView
from tui.widgets.status import state_words

ARGUMENTS = ("--headless", "--set", "training.epochs=2", "--set", "training.threads=1")
POOR = ("--set", "optimizer.type=SGD", "--set", "optimizer.lr=1e-4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that learned nothing to speak of, and one that did."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("poor", POOR), ("good", ())):
        done = warm_torchdeck.run("train", "digits-cnn", *ARGUMENTS, "--set", f"name={name}", *more, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def run_of(folder, name):
    (path,) = (folder / "runs").glob(f"*-{name}")
    return path, json.loads((path / "events.jsonl").read_text().splitlines()[-1])


def test_the_end_says_what_it_is_no_better_than(folder):
    _, poor = run_of(folder, "poor")
    _, good = run_of(folder, "good")
    assert (poor["reason"], poor["better_than_baseline"]) == ("completed", False)
    assert ": no better than always saying" in poor["message"] and ", the largest class (" in poor["message"]
    assert good["better_than_baseline"] is True and "no better" not in good["message"]


def test_the_list_tells_it_by_a_mark_a_word_and_a_colour(folder):
    poor, good = (summarize(run_of(folder, name)[0]) for name in ("poor", "good"))
    assert (shown(poor).mark, shown(poor).word, shown(poor).colour) == ("≈", "no better", "$text-warning")
    assert (shown(good).mark, shown(good).word) == ("✓", "completed")
    assert shown(replace(good, better_than_baseline=None)).word == "completed"  # of an earlier version
    listed = warm_torchdeck.run("runs", cwd=folder).stdout
    assert "No better: no better than its baseline, which predicts without a network." in listed
    assert f"\n  {poor.name}" in listed.partition("No better: ")[2]


@pytest.mark.parametrize(
    ("reason", "better", "words", "tone"),
    [
        (Reason.COMPLETED, False, "≈ completed, no better than its baseline", "warning"),
        (Reason.EARLY_STOPPED, False, "≈ stopped early, no better than its baseline", "warning"),
        (Reason.COMPLETED, True, "✓ completed", "good"),
        (Reason.COMPLETED, None, "✓ completed", "good"),
        (Reason.STOPPED, False, "■ stopped", "warning"),
    ],
)
def test_the_train_screen_is_green_for_what_is_better_alone(reason, better, words, tone):
    view = RunView(state="finished", reason=reason, better_than_baseline=better)
    assert state_words(view) == ((words, tone),)


def test_a_resumed_run_is_judged_by_the_best_epoch_of_an_earlier_session(folder, tmp_path):
    path, finished = run_of(folder, "good")
    copy = tmp_path / "runs" / path.name
    shutil.copytree(path, copy)
    measured = epoch_metrics(copy, finished["best_epoch"])
    assert measured["val_accuracy"] > 0.5 and epoch_metrics(copy, 99) == {} and epoch_metrics(tmp_path, 1) == {}
    more = ("training.epochs=3", "training.early_stopping.min_delta=10.0")  # no later epoch is a better one
    done = warm_torchdeck.run("resume", path.name, "--headless", *(f"--set={m}" for m in more), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = json.loads((copy / "events.jsonl").read_text().splitlines()[-1])
    assert (again["best_epoch"], again["better_than_baseline"]) == (finished["best_epoch"], True)
