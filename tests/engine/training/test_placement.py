"""Where samples are during training does not affect the results of a run."""

import json
import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.data import load_data
from engine.experiment import Data, Refused, read
from engine.plan import check
from engine.protocol.events import Epoch, Log, Reason
from engine.training import placement
from engine.training.batches import Batches
from engine.training.loader import CannotRead, Loader
from engine.training.placement import place, resolve_workers
from engine.training.session import Session

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 3, 8, 6), dtype=np.uint8)


def started(folder, *overrides, preset="digits-cnn"):
    session = Session.create(
        check(read(preset, ["training.epochs=2", "training.threads=1", *overrides])), runs_dir=folder / "runs"
    )
    session.start()
    assert session.join(150)
    return session


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, x=IMAGES, y=np.arange(60) % 3)
    return Data.model_validate({"source": "arrays", "path": str(path), "batch_size": 7, "augment": ["RandomErasing"]})


def batches(data, **more):
    torch.manual_seed(0)
    made = Batches(load_data(data, 0), "cpu", data, **more)
    found = [*made.training(7, 0, 1), *made.training(7, 0, 2, skip=3), *made.validation(28)]
    made.close()
    return made, found


class Read:
    """Samples that are read one by one, as files are."""

    def __init__(self, x):
        self.x = x
        self.shape, self.dtype, self.nbytes = tuple(x.shape), x.dtype, x.nbytes

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return torch.stack([self.x[i] for i in torch.as_tensor(index).tolist()])

    def to(self, device):
        return self


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_same_from_the_device_from_a_thread_and_from_processes(images, workers, channels_last):
    resident, expected = batches(images, channels_last=channels_last)
    assert resident.placement.resident
    loaded = load_data(images, 0)
    data = images.model_copy(update={"workers": workers})
    made = Batches(_read(loaded), "cpu", data, channels_last=channels_last)
    assert not made.placement.resident and made.placement.workers == workers
    torch.manual_seed(0)
    found = [*made.training(7, 0, 1), *made.training(7, 0, 2, skip=3), *made.validation(28)]
    made.close()
    assert len(found) == len(expected) == 7 + 4 + 1
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.inputs[0], other.inputs[0]) and torch.equal(one.target, other.target)
        assert one.inputs[0].stride() == other.inputs[0].stride() and one.size == other.size


def _read(loaded):
    return replace(loaded, x=Read(loaded.x))


def test_samples_that_exceed_their_share_of_memory_are_copied_ahead_by_a_thread(images):
    small = images.model_copy(update={"memory_share": 1e-9})
    loaded = load_data(small, 0)
    where = place(loaded, "cpu", small)
    assert not where.resident and where.workers == 0 and "data.memory_share" in where.why
    _, expected = batches(images)
    _, found = batches(small)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.inputs[0], other.inputs[0])


def test_bytes_stay_bytes_and_images_with_channels_last_are_not_copied(images):
    loaded = load_data(images, 0)
    last = loaded.x.contiguous(memory_format=torch.channels_last)
    made = Batches(replace(loaded, x=last), "cpu", images, channels_last=True)
    assert made._source.dtype is torch.uint8 and made._source.data_ptr() == last.data_ptr()
    assert loaded.description.bytes <= 1.05 * (IMAGES.nbytes + 60 * 8)


def test_a_run_has_the_same_bits_for_either_placement_and_logs_which(tmp_path):
    losses = {}
    for share, says in ((0.5, "are on cpu"), (1e-9, "copied to it ahead")):
        events = started(tmp_path, f"data.memory_share={share}", 'data.augment=["RandomErasing"]').drain()
        losses[share] = [(e.train_loss, e.val_loss) for e in events if isinstance(e, Epoch)]
        assert any(says in e.message for e in events if isinstance(e, Log))
        alone = [e.message for e in events if isinstance(e, Log) and "alone" in e.message]
        assert alone and all("samples/s" in message for message in alone)
    assert len(losses[0.5]) == 2 and losses[0.5] == losses[1e-9]


class Broken(Read):
    def __getitem__(self, index):
        if 5 in torch.as_tensor(index).tolist():
            raise FileNotFoundError(2, "No such file or directory", "class/5.png")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_disappears_during_a_run_is_named(workers):
    loader = Loader(Broken(torch.from_numpy(IMAGES)), workers=workers, pin=False, batch_bytes=1000)
    with pytest.raises(CannotRead, match=r"class/5\.png cannot be read: No such file or directory\."):
        list(loader.batches([torch.tensor([0, 1]), torch.tensor([4, 5])]))
    loader.close()


class Slow(Read):
    def __getitem__(self, index):
        time.sleep(0.03)
        return super().__getitem__(index)


def test_waiting_for_data_is_reported_once_with_a_fix(images):
    loaded = load_data(images, 0)
    made = Batches(replace(loaded, x=Slow(loaded.x)), "cpu", images.model_copy(update={"workers": 0}))
    assert len(list(made.training(7, 0, 1))) == 7
    said = made.reading(0.25)
    assert said.level == "warning" and "The device waited for data in" in said.message
    assert 1 < made._source.samples_per_s < 7 / 0.03 and re.search(r"gives [1-9]\d* samples/s", said.message)
    assert made.reading(0.25) is None
    made.close()


def test_reading_that_keeps_up_is_reported_with_its_speed(images):
    made = Batches(_read(load_data(images, 0)), "cpu", images.model_copy(update={"workers": 0}))
    assert made.reading(1.0) is None  # nothing was read yet
    assert len(list(made.training(7, 0, 1))) == 7
    said = made.reading(100.0)
    assert said.level == "info" and said.message.startswith("Reading alone gives")
    made.close()


def test_a_share_of_the_containers_memory_counts(images, monkeypatch):
    monkeypatch.setattr(placement, "free_host_memory", lambda: 10_000)
    where = place(load_data(images, 0), "cpu", images)
    assert not where.resident and "50% of the 10 kB" in where.why


def test_workers_follow_the_cores(monkeypatch):
    monkeypatch.setattr(placement, "available_cores", lambda: 16)
    assert resolve_workers("auto", "cuda:0") == 8 and resolve_workers("auto", "cpu") == 4
    monkeypatch.setattr(placement, "available_cores", lambda: 1)
    assert resolve_workers("auto", "cpu") == 1 and resolve_workers(3, "cpu") == 3


def test_the_parts_and_their_statistics_are_stored_with_a_run(tmp_path):
    session = started(tmp_path)
    kept = json.loads((session.directory / "data.json").read_text())
    assert kept["classes"] == list("0123456789")
    parts = load_file(session.directory / "split.safetensors")
    loaded = load_data(session.plan.experiment.data, session.plan.experiment.seed)
    assert all(torch.equal(parts[part], getattr(loaded, part)) for part in ("train", "validation", "test"))
    for name in ("data.json", "split.safetensors"):
        assert os.stat(session.directory / name).st_mode & 0o777 == 0o600


def test_a_run_cannot_be_resumed_on_different_data(tmp_path):
    path, rng = tmp_path / "rows.npz", np.random.default_rng(0)
    np.savez(path, x=rng.standard_normal((90, 4)), y=np.arange(90) % 3)
    document = tmp_path / "rows.toml"
    document.write_text(
        f'data = {{source = "arrays", path = "{path}"}}\nmodel.layers = [{{type = "Linear", out_features = "auto"}}]\n'
    )
    session = started(tmp_path, preset=str(document))
    resumed = Session.resume(session.directory)
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason is Reason.COMPLETED
    np.savez(path, x=rng.standard_normal((96, 4)), y=np.arange(96) % 3)
    events = (session.directory / "events.jsonl").read_bytes()
    with pytest.raises(Refused, match="The train part differs from the one that the run started with: it has 7"):
        Session.resume(session.directory)
    assert (session.directory / "events.jsonl").read_bytes() == events  # the run is what it was: completed


def test_a_pipe_in_place_of_a_stored_file_does_not_block(tmp_path):
    session = started(tmp_path)
    (session.directory / "split.safetensors").unlink()
    os.mkfifo(session.directory / "split.safetensors")
    with pytest.raises(Refused, match=r"split\.safetensors is not a file that a run writes"):
        Session.resume(session.directory)
