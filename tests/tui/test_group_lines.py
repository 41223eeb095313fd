"""Parameter groups in `check` and on the design screen: one line each."""

from __future__ import annotations

from engine.experiment import read
from engine.plan import check
from tui.printing.plan import plan_as_dict, plan_as_text
from tui.rows.design import part_rows, part_text

GROUPS = "optimizer.groups=[{layers=['0..1', 'Linear'], lr=1e-4, amsgrad=true}]"


def block(plan):
    """The lines of the parameter groups, their words a space apart."""
    (lines,) = [b.splitlines() for b in plan_as_text(plan).split("\n\n") if b.startswith("parameter group")]
    return [" ".join(line.split()) for line in lines]


def test_a_group_is_a_line_with_its_layers_its_size_and_its_rates(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    plan = check(read("digits-cnn", [GROUPS, "optimizer.no_bias_decay=true"]))
    assert block(plan) == [
        "parameter group parameters lr weight_decay",
        "all other layers 9,216 0.003 0.01",
        "all other layers: biases and norms 96 0.003 0",
        "0..1, Linear 9,120 0.0001 0.01 amsgrad=True",
        "0..1, Linear: biases and norms 170 0.0001 0 amsgrad=True",
    ]
    assert "ParameterGroup" not in plan_as_text(plan) and "groups=" not in plan_as_text(plan)
    _, _, slow, _ = plan_as_dict(plan)["groups"]
    assert slow == {
        "layers": ("0..1", "Linear"),
        "weights": None,
        "optimizer": "AdamW",
        "parameters": 9120,
        "lr": 1e-4,
        "weight_decay": 0.01,
        "amsgrad": True,
    }
    assert "0..1, Linear: 9120 parameters, lr 0.0001, wd 0.01, amsgrad true" in _details(plan)


def test_parameters_that_muon_does_not_take_are_shown_with_their_optimizer():
    plan = check(read("transformer-text", ["optimizer={type='Muon', lr=0.02}"]))
    assert block(plan)[1:] == [
        "hidden matrices 32,768 0.02 0.1 Muon",
        f"all else {plan.parameters - 32768:,} 0.001 0.01 AdamW",
    ]
    assert "others AdamW lr=0.001" in " ".join(plan_as_text(plan).split())
    assert "hidden matrices: Muon, 32768 parameters, lr 0.02, wd 0.1" in _details(plan)


def test_a_plan_without_groups_has_no_such_lines():
    plan = check(read("digits-cnn"))
    assert plan.groups == () and "parameter group" not in plan_as_text(plan)


def _details(plan):
    return part_text("optimizer", plan.experiment, plan).details


def test_groups_that_are_cut_in_the_list_of_parts_look_different():
    draft = read("digits-cnn", [GROUPS, "optimizer.no_bias_decay=true"])
    for width in (30, 34, 44):
        row = part_rows(draft, check(draft), width, details=True)[3].plain.split("\n")
        assert len(set(row)) == len(row) and len(row) >= 5
        assert all(len(line) <= width for line in row)
