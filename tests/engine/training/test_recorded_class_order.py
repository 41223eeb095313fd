"""A run that began with another order of its classes and categories is resumed with that order, to the same bits."""

import json
from pathlib import Path

import pytest
import torch

from engine.data import class_order
from engine.data.images import folder
from engine.data.load import forget
from engine.data.tables import fitting, targets
from engine.experiment import read
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

LABELS = [str(number) for number in range(1, 12)]
DOCUMENT = """
data = {{source = "{source}", path = "{path}", batch_size = 4, validation = 0.2 {more}}}
model.layers = [{layers}{{type = "Linear", out_features = "auto"}}]
training = {{device = "cpu", threads = 1, epochs = 1}}
"""


def of_folders(at: Path) -> str:
    from PIL import Image

    for label in LABELS:
        (at / "zoo" / label).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (4, 4), int(label) * 10 + i).save(at / "zoo" / label / f"{i}.png")
    return DOCUMENT.format(source="images", path=at / "zoo", more=", cache = false", layers='"Flatten", ')


def of_rows(at: Path) -> str:
    rows = "".join(f"s{i % 12},{i / 7},{LABELS[i % 11]}\n" for i in range(66))
    (at / "t.csv").write_text(f"size,x,y\n{rows}")
    return DOCUMENT.format(source="table", path=at / "t.csv", more=', target = "y"', layers="")


def trained(document: Path, runs: Path, *overrides: str) -> Session:
    session = Session.create(check(read(str(document), overrides)), runs_dir=runs)
    session.start()
    assert session.join(60)
    return session


def weights(session: Session) -> dict[str, torch.Tensor]:
    return load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).model


@pytest.mark.parametrize("made", [of_folders, of_rows])
def test_a_run_is_resumed_with_the_order_that_it_recorded(made, tmp_path, monkeypatch):
    document = tmp_path / "a.toml"
    document.write_text(made(tmp_path))

    def of_old(names, recorded=()):
        return tuple(sorted(set(names)))

    for module in (folder, targets, fitting):
        monkeypatch.setattr(module, "in_order", of_old)
    forget()
    whole = trained(document, tmp_path / "whole", "training.epochs=2")
    half = trained(document, tmp_path / "half")
    assert json.loads((half.directory / "data.json").read_text())["classes"] == sorted(LABELS)

    for module in (folder, targets, fitting):
        monkeypatch.setattr(module, "in_order", class_order.in_order)
    forget()
    resumed = Session.resume(half.directory, ["training.epochs=2"])
    assert resumed.plan.description is not None and resumed.plan.description.classes == tuple(sorted(LABELS))
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

    fresh = trained(document, tmp_path / "fresh")
    assert json.loads((fresh.directory / "data.json").read_text())["classes"] == LABELS
