"""An explicit loss settles a task that the document leaves open; one that the document says is not overruled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm_torchdeck
from table_files import written

from engine.experiment import load, read
from engine.plan import check
from engine.training.session import Session

GRADES = [[i * 7 % 61, i % 9 + 1] for i in range(90)]
COUNTS = [[i * 7 % 61, i % 30] for i in range(300)]
HALVES = [[i * 7 % 61, i % 4 / 2] for i in range(90)]
NAMES = [[i * 7 % 61, ("cat", "dog")[i % 2]] for i in range(90)]


def document(tmp_path: Path, rows: list, loss: str, more: str = "") -> Path:
    written(tmp_path / "t.csv", rows, ("amount", "y"))
    path = tmp_path / "a.toml"
    path.write_text(
        f'data = {{source = "table", path = "t.csv", target = "y"{more}}}\n{loss}\n'
        'model.layers = [{type = "Linear", out_features = "auto"}]\n'
        'training = {epochs = 1, device = "cpu", threads = 1}\n'
    )
    return path


SETTLED = [
    (GRADES, "", "classification"),
    (GRADES, 'loss = "CrossEntropyLoss"', "classification"),
    (GRADES, 'loss = "MSELoss"', "regression"),
    (GRADES, 'loss = {type = "HuberLoss", delta = 2.0}', "regression"),
    (COUNTS, "", "regression"),
    (COUNTS, 'loss = "L1Loss"', "regression"),
    (COUNTS, 'loss = "CrossEntropyLoss"', "classification"),
    (HALVES, "", "regression"),
    (HALVES, 'loss = "CrossEntropyLoss"', "classification"),
    (NAMES, 'loss = "BCEWithLogitsLoss"', "classification"),
]


@pytest.mark.parametrize(("rows", "loss", "task"), SETTLED)
def test_the_loss_says_whether_numbers_are_classes(rows, loss, task, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = check(read(str(document(tmp_path, rows, loss))))
    assert plan.ok and plan.description is not None and plan.description.task == task, plan.mistakes
    said = [note for note in plan.description.notes if "reads y as" in note]
    assert len(said) == bool(loss)


def test_a_target_that_cannot_be_what_the_loss_wants_is_a_mistake_of_the_loss(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (mistake,) = check(read(str(document(tmp_path, NAMES, 'loss = "MSELoss"')))).mistakes
    assert mistake.path == "loss.type" and "the task is classification" in mistake.expected
    assert mistake.remedy is None  # another loss is for a person to choose


@pytest.mark.parametrize(
    ("task", "loss", "reading", "other"),
    [
        (
            "classification",
            "MSELoss",
            "the target is classes",
            'data.task = "regression", with which the target is a quantity',
        ),
        (
            "regression",
            "CrossEntropyLoss",
            "the target is a quantity",
            'data.task = "classification", with which the target is clas',
        ),
    ],
)
def test_a_task_that_is_said_is_named_with_both_readings(task, loss, reading, other, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = check(read(str(document(tmp_path, GRADES, f'loss = "{loss}"', f', task = "{task}"'))))
    (mistake,) = [mistake for mistake in plan.mistakes if mistake.path == "loss.type"]
    assert f'with data.task = "{task}" {reading}' in mistake.expected and other in mistake.fix


def test_a_run_keeps_the_task_and_is_resumed_without_a_change(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = document(tmp_path, GRADES, 'loss = "MSELoss"')
    session = Session.create(check(read(str(path))), runs_dir=tmp_path / "runs")
    session.start()
    assert session.join(60)
    file = session.directory / "experiment.toml"
    assert load(file).data.parameters["task"] == "regression"
    resumed = Session.resume(session.directory, ["training.epochs=2"])
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    (line,) = map(json.loads, (session.directory / "resumes.jsonl").read_text().splitlines())
    assert line["changes"] == ["training.epochs: 1 → 2"]


FIXED = [
    ("missing values", [["" if i == 3 else row[0], row[1]] for i, row in enumerate(NAMES)], "", ""),
    ("another task", NAMES, 'loss = "MSELoss"', ""),
    ("a task that is said", GRADES, 'loss = "MSELoss"', ', task = "classification"'),
    ("one output for nine classes", GRADES, 'loss = "BCEWithLogitsLoss"', ""),
    ("weights of other classes", GRADES, 'loss = {type = "CrossEntropyLoss", weight = [1.0, 2.0]}', ""),
    ("a class of no number", GRADES, 'loss = {type = "CrossEntropyLoss", ignore_index = 12}', ""),
]


@pytest.mark.parametrize(("rows", "loss", "more"), [case[1:] for case in FIXED], ids=[case[0] for case in FIXED])
def test_fix_leaves_alone_what_needs_thought(rows, loss, more, tmp_path: Path) -> None:
    path = document(tmp_path, rows, loss, more)
    before = path.read_text()
    done = warm_torchdeck.run("check", "a.toml", "--fix", cwd=tmp_path)
    assert done.returncode == 2 and path.read_text() == before, done.stderr
    assert "fixed" not in done.stderr and "Traceback" not in done.stderr


def test_data_at_a_glance_is_of_the_same_task(tmp_path: Path) -> None:
    path = document(tmp_path, GRADES, 'loss = "MSELoss"')
    done = warm_torchdeck.run("data", str(path), cwd=tmp_path)
    assert done.returncode == 0 and "table: vector, regression" in done.stdout, done.stderr
