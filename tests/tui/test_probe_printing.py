"""`torchdeck probe`: the records of a probe as text or as JSON, and its exit status."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from fake_probe import batch_records, gradient_records, rate_records
from typer.testing import CliRunner, Result

from engine.experiment import Refused
from engine.probes.records import Record
from tui.cli import app
from tui.services import producer


def probe(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["probe", *arguments])


def test_a_rate_probe_is_printed_as_text_or_as_json_lines() -> None:
    text, lines = probe("rate", "digits-lstm"), probe("rate", "digits-lstm", "--json")
    assert text.exit_code == lines.exit_code == 0
    *steps, found = map(json.loads, lines.stdout.splitlines())
    assert {step["event"] for step in steps} == {"rate_step"} and found["event"] == "rate_found"
    assert f"Suggested: optimizer.lr = {found['lr']:g}" in text.stdout
    assert found["message"] in text.stdout


def test_a_batch_that_is_not_memorized_is_status_1_with_the_reason() -> None:
    result = probe("one-batch", "mlp-diabetes", "--set", "optimizer.lr=1e-6")
    assert result.exit_code == 1
    assert "optimizer.lr = 1e-06 is too low" in result.stdout


def test_gradients_that_are_right_are_status_0() -> None:
    result = probe("gradients", "mlp-diabetes")
    assert result.exit_code == 0
    assert "Every gradient is correct" in result.stdout


@pytest.mark.parametrize(
    ("records", "status"),
    [
        (rate_records(), 0),
        (rate_records(falls=False), 1),
        (gradient_records(), 1),
        (batch_records(memorised=True), 0),
        (batch_records(memorised=False), 1),
    ],
    ids=lambda value: getattr(value[-1], "event", "") if isinstance(value, list) else str(value),
)
def test_the_exit_status_is_0_only_after_a_success(
    monkeypatch: pytest.MonkeyPatch, records: list[Record], status: int
) -> None:
    monkeypatch.setattr(producer, "probe_records", lambda kind, plan: lambda stop: iter(records))
    result = probe("rate", "mlp-diabetes")
    assert result.exit_code == status
    assert result.stdout.count("\n") <= len(records) + 1


def test_a_wrong_document_is_status_2_with_every_mistake() -> None:
    result = probe("rate", "digits-cnn", "--set", "training.epochs=0", "--set", "optimizer.lr=-1")
    assert result.exit_code == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    with pytest.raises(Refused, match="Rprop has a step size for each weight"):
        CliRunner().invoke(
            app, ["probe", "rate", "digits-cnn", "--set", "optimizer={type='Rprop'}"], catch_exceptions=False
        )


def test_ctrl_c_ends_a_probe_with_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Iterator[Record]:
        yield rate_records()[9]
        signal.raise_signal(signal.SIGINT)
        yield rate_records()[19]

    monkeypatch.setattr(producer, "probe_records", lambda kind, plan: lambda stop: interrupted())
    # As in a new process: an earlier test may have changed the handler in this one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = probe("rate", "mlp-diabetes")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n" and result.stdout.startswith("step  10/160")
    assert result.stdout.count("\n") == 1
