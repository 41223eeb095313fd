"""The form of an optimizer offers another one beside it where there is place for one."""

from __future__ import annotations

from engine.catalog import catalog
from engine.editing.form import form
from engine.experiment import reads

TEXT = '[data]\nsource = "digits"\n[model]\nlayers = ["Flatten"]\n[optimizer]\ntype = "{}"\n'


def fields(type, more=""):
    return {field.path: field for field in form("optimizer", reads(TEXT.format(type) + more))}


def test_only_muon_has_another_optimizer_beside_it():
    assert [name for name in catalog("optimizers") if "optimizer.others" in fields(name)] == ["Muon"]


def test_the_other_optimizer_is_chosen_and_set_like_the_first():
    given = fields("Muon", 'others = {type = "SGD", momentum = 0.9}\n')
    assert given["optimizer.others"].value == "SGD" and given["optimizer.others.momentum"].value == 0.9
    assert "AdamW" in given["optimizer.others"].options
    assert "optimizer.others" in fields("SGD", 'others = "AdamW"\n'), "what was given can be taken back"
