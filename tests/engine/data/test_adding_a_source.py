"""A new data source is one declaration: catalog, check, `--set`, form and training take it from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import published_files as files
import pytest
from pydantic import Field

from engine.data.dataset import Dataset, dataset
from engine.data.documents import read_document
from engine.data.load import load_data
from engine.data.published.sets import TRAIN_FLAG, Counts, PublishedSet
from engine.data.source import Source
from engine.data.sources import SOURCES, register, unregister
from engine.data.sources.torchvision_sets import source_of
from engine.data.splits import Split
from engine.editing.form import form
from engine.experiment import Data, dumps, read, reads
from engine.plan import check
from engine.protocol.events import Epoch, Finished, Reason
from engine.training.session import Session
from tui.printing.catalog import catalog_text


class Moons(Source):
    """Two interleaved half circles."""

    name: ClassVar[str] = "moons"
    summary: ClassVar[str] = "Points on two interleaved half circles, in two classes."
    when: ClassVar[str] = "To see a small network learn a curved boundary."
    endings: ClassVar[tuple[str, ...]] = (".moons",)

    samples: Annotated[int, Field(ge=4, description="Number of points.")] = 200
    noise: Annotated[float, Field(ge=0, description="Standard deviation of the points.")] = 0.1

    def load(self, split: Split) -> Dataset:
        """Vectors (F=2) and the number of the half circle."""
        y = np.arange(self.samples) % 2
        draws = np.random.default_rng(split.seed)
        angle = np.pi * draws.uniform(0, 1, self.samples)
        x = np.stack([np.cos(angle) + y, np.where(y, -1, 1) * np.sin(angle) + 0.5 * y], 1)
        x = (x + draws.normal(0, self.noise, x.shape)).astype(np.float32)
        return dataset(self.name, "classification", "vector", x, y, split.by_class(y), classes=("upper", "lower"))


CHANGES = (
    *("data={source='moons'}", "data.samples=120", "data.noise=0.05", "data.batch_size=16"),
    "model.layers=[{type='Linear', out_features=8}, 'ReLU', {type='Linear', out_features='auto'}]",
    *("loss=auto", "training.epochs=3", "training.threads=1", "training.early_stopping=false"),
)


@pytest.fixture
def moons() -> Iterator[None]:
    register(Moons)
    try:
        yield
    finally:
        unregister("moons")


@pytest.mark.usefixtures("moons")
def test_a_source_that_is_added_is_in_catalog_check_form_and_set() -> None:
    assert json.loads(catalog_text("sources", "moons", as_json=True))["summary"] == Moons.summary
    plan = check(read("wine", CHANGES))
    assert not plan.mistakes and plan.description is not None and plan.experiment is not None
    data = plan.description
    assert (data.train_samples, data.val_samples, data.classes) == (
        96,
        24,
        ("upper", "lower"),
    )
    draft = reads(dumps(plan.experiment))
    fields = {field.path: field for field in form("data", draft, plan.experiment)}
    assert "moons" in fields["data.source"].options
    assert fields["data.noise"].help == "Standard deviation of the points." and fields["data.noise"].value == 0.05


@pytest.mark.usefixtures("moons")
def test_mistakes_in_the_parameters_of_an_added_source_name_its_parameters() -> None:
    (unknown,) = check(read("wine", (*CHANGES, "data.noize=1"))).mistakes
    assert (unknown.path, unknown.fix) == ("data.noize", "Did you mean noise?")
    (wrong,) = check(read("wine", (*CHANGES, "data.samples=1"))).mistakes
    assert wrong.path == "data.samples" and "at least 4" in str(wrong)
    assert "it is data, which the source moons reads" in str(read_document("points.moons").mistakes[0])
    with pytest.raises(ValueError, match="already a data source 'moons'"):
        register(Moons)


@pytest.mark.usefixtures("moons")
def test_a_run_trains_on_an_added_source(tmp_path: Path) -> None:
    session = Session.create(check(read("wine", CHANGES)), runs_dir=tmp_path)
    session.start()
    assert session.join(60)
    events = session.drain()
    assert len([event for event in events if isinstance(event, Epoch)]) == 3
    assert isinstance(events[-1], Finished) and events[-1].reason is Reason.COMPLETED


def test_a_published_set_is_one_row(tmp_path: Path) -> None:
    row = PublishedSet(
        name="digits-of-a-friend",
        torch_name="MNIST",
        reference="A friend.",
        summary="Digits.",
        when="Now.",
        classes=10,
        samples=Counts(60_000, test=10_000),
        megabytes=11,
        files=("MNIST/raw/train-images-idx3-ubyte",),
        parts=TRAIN_FLAG,
        shape=(1, 28, 28),
    )
    register(source_of(row))
    try:
        files.mnist(tmp_path)
        asked = Data.model_validate({"source": row.name, "root": str(tmp_path)})
        loaded = load_data(asked, seed=0)
        assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (48, 12, 20)
        assert json.loads(catalog_text("sources", row.name, as_json=True))["summary"] == "Digits."
        assert "about 11 MB" in SOURCES[row.name]().to_download()
    finally:
        unregister(row.name)
