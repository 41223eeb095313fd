"""The form of Muon offers a second optimizer for the other weights."""

from __future__ import annotations

from engine.catalog import catalog
from engine.editing.form import form
from engine.experiment import reads

TEXT = '[data]\nsource = "digits"\n[model]\nlayers = ["Flatten"]\n[optimizer]\ntype = "{}"\n'


def fields(type, more=""):
    return {field.path: field for field in form("optimizer", reads(TEXT.format(type) + more))}


def test_only_muon_has_a_second_optimizer():
    assert [name for name in catalog("optimizers") if "optimizer.others" in fields(name)] == ["Muon"]


def test_the_second_optimizer_is_set_like_the_first():
    shown = fields("Muon", 'others = {type = "SGD", momentum = 0.9}\n')
    assert shown["optimizer.others"].value == "SGD" and shown["optimizer.others.momentum"].value == 0.9
    assert "AdamW" in shown["optimizer.others"].options
    assert "optimizer.others" in fields("SGD", 'others = "AdamW"\n'), "a set field can be removed"
