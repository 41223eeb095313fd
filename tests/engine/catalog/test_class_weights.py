"""Parameters of losses that go by class: by name, and said with the names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm_torchdeck

from engine.catalog.class_weights import order_of_classes, sentences_by_class, with_weights_listed
from engine.experiment import read
from engine.experiment.document import Choice
from engine.plan import check
from engine.training.session import Session
from tui.rows.explanations import Selection, explanation
from tui.services.producer import Producer

ANIMALS = ("cat", "cow", "dog")


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i * 7 % 60 / 10},{ANIMALS[i * i % 3 % 3 if i % 5 else 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}")
    path = tmp_path / "a.toml"
    path.write_text(
        'data = {source = "table", path = "t.csv", target = "y"}\nloss = "CrossEntropyLoss"\n'
        'model.layers = [{type = "Linear", out_features = "auto"}]\n'
        'training = {epochs = 1, device = "cpu", threads = 1}\n'
    )
    return path


def plan_of(path: Path, loss: str):
    return check(read(str(path), [f"loss={loss}"]))


@pytest.mark.parametrize(
    ("weight", "listed"),
    [
        ("{dog = 2.0}", [1.0, 1.0, 2.0]),
        ("{dog = 2, cat = 0.5}", [0.5, 1.0, 2.0]),
        ("{'cow' = 0.0}", [1.0, 0.0, 1.0]),
        ("{cat = 1, cow = 2, dog = 3}", [1.0, 2.0, 3.0]),
        ("{}", [1.0, 1.0, 1.0]),
    ],
)
@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MultiMarginLoss"])
def test_weights_by_name_are_those_of_the_classes(loss, weight, listed, animals: Path) -> None:
    plan = plan_of(animals, f"{{type = '{loss}', weight = {weight}}}")
    assert plan.ok and plan.description is not None and plan.description.classes == ANIMALS, plan.mistakes
    assert plan.experiment.loss.parameters["weight"] == listed


def test_a_run_is_trained_with_them_and_resumed(animals: Path, tmp_path: Path) -> None:
    by_name = plan_of(animals, "{type = 'CrossEntropyLoss', weight = {dog = 4.0}}")
    session = Session.create(by_name, runs_dir=tmp_path / "runs")
    session.start()
    assert session.join(60)
    in_order = Session.create(
        plan_of(animals, "{type = 'CrossEntropyLoss', weight = [1.0, 1.0, 4.0]}"), runs_dir=tmp_path
    )
    in_order.start()
    assert in_order.join(60) and in_order.finished.best == session.finished.best
    resumed = Session.resume(session.directory, ["training.epochs=2"])
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    (line,) = map(json.loads, (session.directory / "resumes.jsonl").read_text().splitlines())
    assert line["changes"] == ["training.epochs: 1 → 2"]


@pytest.mark.parametrize(
    ("weight", "path", "said"),
    [
        ("{cta = 2.0}", "loss.weight.cta", "'cta' is not a class; expected one of cat, cow, dog. Did you mean cat?"),
        ("{Dog = 2.0}", "loss.weight.Dog", "Did you mean dog?"),
        ("{'big dog' = 2.0}", "loss.weight", "'big dog' is not a class; expected one of cat, cow, dog"),
        ("[1.0, 2.0]", "loss.weight", "found 2 weights; the data has 3 classes: cat, cow, dog"),
        ("{cat = -1.0}", "loss.weight", "found {cat = -1.0}; expected 'balanced' or"),
        ("{cat = 0, cow = 0, dog = 0}", "loss.weight", "every weight is 0"),
    ],
)
def test_what_is_wrong_with_them_names_the_classes(weight, path, said, animals: Path) -> None:
    plan = plan_of(animals, f"{{type = 'CrossEntropyLoss', weight = {weight}}}")
    mistake = plan.mistakes[0]
    assert mistake.severity == "error" and mistake.path == path and said in str(mistake)


def test_a_class_that_is_not_there_is_answered_with_those_that_are(animals: Path) -> None:
    plan = plan_of(animals, "{type = 'CrossEntropyLoss', ignore_index = 3}")
    assert "class indices are 0 to 2: 0 = cat, 1 = cow, 2 = dog" in str(plan.mistakes[0])


def test_check_names_the_class_of_each_weight(animals: Path) -> None:
    loss = "loss={type = 'CrossEntropyLoss', weight = {dog = 2.5}, ignore_index = 1}"
    done = warm_torchdeck.run("check", str(animals), "--set", loss, cwd=animals.parent)
    assert "weight: cat = 1, cow = 1, dog = 2.5" in done.stdout and "ignore_index: 1 = cow" in done.stdout, done.stderr


def test_the_help_of_a_form_names_the_classes_in_their_order(animals: Path) -> None:
    draft = read(str(animals), ["loss={type = 'CrossEntropyLoss', weight = {dog = 2.5}}"])
    plan = check(draft)
    fields = {field.name: field for field in Producer().form("loss", draft, plan, parameters=True)}
    assert fields["weight"].help.endswith("The classes: 0 = cat, 1 = cow, 2 = dog.")
    assert fields["ignore_index"].help.endswith("The classes: 0 = cat, 1 = cow, 2 = dog.")
    assert "cat" not in fields["label_smoothing"].help
    about = explanation(Selection(part="loss"), draft, plan, lambda kind, name: None, 60)
    assert "weight: cat = 1, cow = 1, dog = 2.5" in about.text.plain


def test_many_classes_are_cut_in_the_middle() -> None:
    names = [f"c{i}" for i in range(40)]
    assert order_of_classes("weight", names) == "The classes: " + ", ".join(
        [*(f"{i} = c{i}" for i in range(10)), "…", "39 = c39."]
    )
    two = Choice.model_validate({"type": "BCEWithLogitsLoss", "pos_weight": 3.0})
    assert sentences_by_class(two, ["no", "yes"]) == ["pos_weight: yes = 3, no = 1"]
    unknown = Choice.model_validate({"type": "CrossEntropyLoss", "weight": {"c1": 2.0, "x": 1.0}})
    assert with_weights_listed(unknown, names) is unknown
