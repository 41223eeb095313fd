"""Every preset reaches what its header says."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "engine" / "data"))
import published_files
import warm_torchdeck

from engine.experiment import preset_names, preset_text, read
from engine.plan import check
from engine.protocol.events import Reason
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session


def train(preset, tmp_path, *overrides):
    """The events of a headless run."""
    changes = [part for override in overrides for part in ("--set", override)]
    command = ["train", preset, "--headless", "--json", "--runs-dir", str(tmp_path)]
    result = warm_torchdeck.run(*command, *changes, cwd=Path.cwd(), timeout=400)
    assert "Traceback" not in result.stderr
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines()]


def best(events):
    epochs = {e["epoch"]: e for e in events if e["event"] == "epoch"}
    return epochs[events[-1]["best_epoch"]]


def baseline(events):
    """The number in the sentence that names the naive baseline."""
    (sentence,) = [e["message"] for e in events if e["event"] == "log" and "baseline" in e["message"]]
    return float(re.search(r"val_\w+ ([0-9.]+)", sentence)[1].rstrip("."))


def test_digits_cnn_reaches_99_percent_within_10_seconds(tmp_path):
    status, events = train("digits-cnn", tmp_path)
    assert status == 0
    assert best(events)["val_accuracy"] >= 0.99
    assert baseline(events) < 0.12


def test_resnet_digits_reaches_98_percent_with_an_inferred_shortcut(tmp_path):
    status, events = train("resnet-digits", tmp_path)
    assert status == 0
    assert best(events)["val_accuracy"] >= 0.98
    assert events[0]["parameters"] == 38_234


@pytest.mark.parametrize("preset", ["digits-lstm", "lenet", "vgg-small"])
def test_the_other_digits_presets_reach_96_percent(preset, tmp_path):
    status, events = train(preset, tmp_path)
    assert status == 0
    assert best(events)["val_accuracy"] >= 0.96


@pytest.mark.parametrize(("preset", "accuracy"), [("mlp-breast-cancer", 0.95), ("wine", 0.95), ("tutorial-cnn", 0.6)])
def test_presets_that_train_in_seconds_classify_well(preset, accuracy, tmp_path):
    # Three of the 12 epochs of tutorial-cnn are enough.
    status, events = train(preset, tmp_path, *["training.epochs=3"] * (preset == "tutorial-cnn"))
    assert status == 0
    assert best(events)["val_accuracy"] >= accuracy


@pytest.mark.parametrize("loss", ["MSELoss", "L1Loss", "SmoothL1Loss"])
def test_diabetes_is_predicted_better_than_by_the_mean_with_three_losses(loss, tmp_path):
    status, events = train("mlp-diabetes", tmp_path, f"loss.type={loss}")
    assert status == 0
    assert best(events)["val_rmse"] <= 0.75 * baseline(events)


@pytest.mark.timeout(400)
def test_mackey_glass_lstm_forecasts_ten_times_better_than_repeating_the_last_value(tmp_path):
    status, events = train("mackey-glass-lstm", tmp_path)
    assert status == 0
    assert best(events)["val_rmse"] <= baseline(events) / 10


@pytest.mark.timeout(400)
def test_mackey_glass_gru_forecasts_five_times_better_in_half_of_its_epochs(tmp_path):
    status, events = train("mackey-glass-gru", tmp_path, "training.epochs=10")
    assert status == 0
    assert best(events)["val_rmse"] <= baseline(events) / 5


@pytest.mark.timeout(400)
def test_char_lstm_needs_fewer_bits_than_a_3_gram_model_after_two_epochs(tmp_path):
    status, events = train("char-lstm", tmp_path, "training.epochs=2", "training.threads=1")
    assert status == 0
    assert best(events)["val_bits"] < 0.9 * baseline(events)
    assert "% below a 3-gram model (" in events[-1]["message"] and events[-1]["better_than_baseline"]


@pytest.mark.usefixtures("own_files")
def test_airline_lstm_forecasts_a_year_better_than_the_year_before(tmp_path):
    status, events = train("airline-lstm", tmp_path)
    assert status == 0
    naive, seasonal = (
        float(re.search(r"val_rmse ([\d.]+)\.$", e["message"])[1])
        for e in events
        if e["event"] == "log" and "aive baseline" in e["message"]
    )
    assert best(events)["val_rmse"] <= 0.9 * seasonal < 0.5 * naive
    said = rf"% below the naive forecast \({naive:.4g}\), 1\d % below the seasonal-naive forecast \({seasonal:.4g}\)"
    assert re.search(said, events[-1]["message"]) and events[-1]["better_than_baseline"]


def test_airline_lstm_reports_a_missing_file_in_one_sentence(tmp_path):
    result = warm_torchdeck.run("check", "airline-lstm", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.strip() == (
        f"data.path AirPassengers.csv: there is no such file. Correct the path; it starts at {tmp_path}."
    )


@pytest.mark.usefixtures("own_files")
def test_imdb_lstm_trains_on_the_folders_of_the_published_reviews(tmp_path):
    # A few hundred generated reviews instead of the 25,000.
    status, events = train("imdb-lstm", tmp_path, "data.batch_size=8", "training.threads=1")
    assert status == 0
    assert (events[0]["train_samples"], events[0]["val_samples"]) == (288, 32)
    assert best(events)["val_accuracy"] == 1.0 > baseline(events)


def test_imdb_lstm_reports_a_missing_folder_in_one_sentence(tmp_path):
    result = warm_torchdeck.run("check", "imdb-lstm", cwd=tmp_path)
    assert result.returncode == 2
    expected = f"data.path aclImdb: there is no such file. Correct the path; it starts at {tmp_path}."
    assert result.stderr.strip() == expected


@pytest.mark.timeout(400)
def test_stdlib_docs_lstm_classifies_three_in_four_docstrings(tmp_path):
    # Half of its epochs are enough. One thread, because other tests run at the same time.
    status, events = train("stdlib-docs-lstm", tmp_path, "training.epochs=6", "training.threads=1")
    assert status == 0
    assert best(events)["val_accuracy"] >= 0.75
    assert 0.15 < baseline(events) < 0.35


@pytest.mark.parametrize("preset", ["lstm-bidirectional", "gru-attention", "transformer-text"])
def test_the_other_docstring_presets_soon_beat_the_largest_class(preset, tmp_path):
    # Short texts and few epochs: the full preset takes a minute.
    short = ("data.max_length=30", "training.epochs=4", "training.threads=1")
    status, events = train(preset, tmp_path, *short)
    assert status == 0
    assert best(events)["val_accuracy"] > 1.5 * baseline(events)


NOT_FINITE = r"(The loss|A gradient) stopped being finite at step \d+, in epoch \d+"


def test_a_huge_learning_rate_fails_a_run_with_one_sentence_and_status_1(tmp_path):
    status, events = train("digits-cnn", tmp_path, "optimizer.lr=1e30")
    end = events[-1]
    assert status == 1
    assert (end["event"], end["reason"]) == ("finished", "failed")
    assert re.search(NOT_FINITE, end["message"])


# Downloads of presets are left out, or replaced by small files: tests need no network.
OFFLINE = {"resnet18-finetune": ["model.layers[0].weights=none"]}
SMALL = {
    "mnist-lenet": lambda root, monkeypatch: published_files.mnist(root),
    "fashion-cnn": lambda root, monkeypatch: published_files.mnist(root, "FashionMNIST"),
    "cifar10-resnet": published_files.cifar,
}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """The overrides with which a preset needs no network."""

    def changes(preset):
        if preset in SMALL:
            SMALL[preset](tmp_path / "sets", monkeypatch)
            return [f"data.root={tmp_path / 'sets'}"]
        return OFFLINE.get(preset, [])

    return changes


@pytest.mark.parametrize("preset", SMALL)
def test_a_preset_with_a_download_is_checked_without_it_and_trained_on_its_format(preset, tmp_path, offline):
    expected = check(read(preset, [f"data.root={tmp_path / 'nothing'}"]))
    assert expected.ok and expected.parameters and len(expected.downloads) == 1
    found = check(read(preset, [*offline(preset), "training.epochs=3", "training.threads=1"]))
    assert found.ok and found.downloads == () and found.parameters == expected.parameters
    assert [layer.output_shape for layer in found.layers] == [layer.output_shape for layer in expected.layers]
    session = Session.create(found, runs_dir=tmp_path / "runs")
    session.start()
    session.join()
    assert session.finished.reason is Reason.COMPLETED


@pytest.mark.usefixtures("own_files")
@pytest.mark.parametrize("preset", preset_names())
def test_a_huge_learning_rate_keeps_the_checkpoints_of_any_preset_finite(preset, tmp_path, offline):
    overrides = ["optimizer.lr=1e30", "training.threads=1", *offline(preset)]
    session = Session.create(check(read(preset, overrides)), runs_dir=tmp_path)
    session.start()
    session.join()
    assert session.finished.reason is Reason.FAILED
    assert re.search(NOT_FINITE, session.finished.message)
    for kind in ("last", "best"):
        checkpoint = newest_checkpoint(session.directory / "checkpoints", kind=kind)
        if checkpoint is not None:
            assert all(t.isfinite().all() for t in load_checkpoint(checkpoint).model.values() if t.is_floating_point())


@pytest.mark.parametrize("preset", preset_names())
def test_the_header_of_a_preset_names_its_result(preset):
    header = [line for line in preset_text(preset).splitlines() if line.startswith("#")]
    assert len(header) >= 2
    assert "Reaches" in header[1] and re.search(r"\d", header[1])
