import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp  # type: ignore[import-untyped]

from engine.data import baselines_of, load_data
from engine.data.load import forget
from engine.data.sources.mackey_glass import series
from engine.experiment import Data


def data(**parameters: object) -> Data:
    return Data.model_validate({"source": "mackey-glass", **parameters})


def integrated_by_scipy(end: int, tau: int) -> np.ndarray:
    """The same equation by the method of steps, an adaptive Runge-Kutta of order 8 over each delay."""

    def before_the_start(t: float) -> list[float]:
        return [1.2]

    past: Callable[[float], Sequence[float]] = before_the_start
    values: list[float] = []
    for a in range(0, end, tau):

        def slope(t: float, x: np.ndarray, past: Callable[[float], Sequence[float]] = past) -> np.ndarray:
            delayed = past(t - tau)[0]
            return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

        start = past(a)
        solved = solve_ivp(slope, (a, a + tau), start, method="DOP853", dense_output=True, rtol=1e-10, atol=1e-11)
        values += [float(solved.sol(t)[0]) for t in range(a, a + tau)]
        past = solved.sol
    return np.array(values[:end])


@pytest.mark.parametrize("tau", [17, 30])
def test_the_series_is_that_of_an_independent_integration(tau: int) -> None:
    reference = integrated_by_scipy(240, tau)
    assert np.abs(series(240, tau, transient=0) - reference).max() < 1e-6


SHA256 = {
    (6000, 17): "cc4edbd38da6c45bdf806f10c66bdc3709486a58fa573d36642f2c05cae80fc6",
    (6000, 30): "e533d98ea926349a49d7ce09e2009567796fbf82789dea14b76ec3f1ecde8543",
    (1000, 5): "e1a6418e6fdb90548874f06b7bf321a8f381a378dbf1762d5e2cb0239be82aac",
    (20000, 300): "5f99f41f43b0af672b8d8ea495a4b0af60f31f211283c9149ae3ba23fb6d5def",
}
"""Of the series' bytes, by length and tau; a series in plain Python floats, without numpy, has the same."""
STATISTICS = {"mean": "0x1.dc61b68fd2f43p-1", "std": "0x1.cf4873c9bcd20p-3"}


@pytest.mark.parametrize(("length", "tau"), SHA256)
def test_the_series_is_the_same_to_the_bit_on_every_machine(length: int, tau: int) -> None:
    assert hashlib.sha256(series(length, tau).astype("<f8").tobytes()).hexdigest() == SHA256[length, tau]


def test_mean_and_standard_deviation_are_the_same_to_the_bit_on_every_machine() -> None:
    statistics = load_data(data(), seed=0).statistics
    assert {name: value.hex() for name, value in statistics.items()} == STATISTICS


def test_the_series_has_the_range_mean_and_rhythm_that_are_known_of_it() -> None:
    x = series(20_000, 17)
    assert 0.2 < x.min() < 0.45 and 1.25 < x.max() < 1.4
    assert x.mean() == pytest.approx(0.93, abs=0.01) and x.std() == pytest.approx(0.225, abs=0.01)
    spectrum = np.abs(np.fft.rfft(x - x.mean()))
    assert len(x) / spectrum.argmax() == pytest.approx(50, abs=3)  # units of time


def test_the_series_at_tau_17_is_chaotic_and_below_it_periodic() -> None:
    def nearest_return(x: np.ndarray) -> float:
        """How close a stretch of 200 values ever comes to the last one."""
        last = x[-200:]
        return min(float(np.abs(x[i : i + 200] - last).max()) for i in range(len(x) - 400))

    assert nearest_return(series(2_000, 10)) < 0.02 < nearest_return(series(2_000, 17))


def test_a_window_is_followed_by_its_target() -> None:
    loaded = load_data(data(window=20, horizon=3, length=500), seed=0)
    assert loaded.x.shape[1:] == (20, 1) and loaded.y.shape[1:] == (3,)
    assert loaded.description.task == "forecasting" and loaded.description.outputs == 3
    train = loaded.train
    assert torch.equal(loaded.y[train][:-1, 0], loaded.x[train][1:, -1, 0])
    assert torch.equal(loaded.y[train][:-2, 1], loaded.x[train][2:, -1, 0])


def test_windows_lie_a_stride_apart() -> None:
    loaded = load_data(data(window=20, stride=4, length=500), seed=0)
    assert torch.equal(loaded.x[loaded.train][:-1, 4:], loaded.x[loaded.train][1:, :-4])


def test_the_scale_is_fitted_on_the_training_span_alone() -> None:
    loaded = load_data(data(length=3000, window=30, validation=0.3, test=0.1), seed=0)
    values = series(3000, 17)
    assert loaded.statistics["mean"] == pytest.approx(values[:1800].mean())
    assert loaded.statistics["std"] == pytest.approx(values[:1800].std())
    restored = loaded.x[:, :, 0].double() * loaded.statistics["std"] + loaded.statistics["mean"]
    assert torch.allclose(restored[loaded.validation[0]], torch.from_numpy(values[1800:1830]), atol=1e-6)


def test_what_is_held_back_changes_nothing_in_what_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    original = load_data(data(length=2000), seed=0)
    module = "engine.data.sources.mackey_glass.series"

    def disturbed(length: int, tau: int) -> np.ndarray:
        values = series(length, tau)
        values[1600:] = values[1600:] * 100 + 7
        return values

    monkeypatch.setattr(module, disturbed)
    forget()
    other = load_data(data(length=2000), seed=0)
    assert not torch.equal(other.x[other.validation], original.x[original.validation])
    assert other.statistics == original.statistics
    assert torch.equal(other.x[other.train], original.x[original.train])
    assert torch.equal(other.y[other.train], original.y[original.train])


def test_the_naive_forecast_is_the_last_value_again() -> None:
    loaded = load_data(data(horizon=2), seed=0)
    x, y = loaded.x[loaded.validation, -1].numpy(), loaded.y[loaded.validation].numpy()
    found = baselines_of(loaded)[0]
    std = loaded.statistics["std"]
    assert found.metric == "rmse"
    assert found.value == pytest.approx(std * float(np.sqrt(((y.astype(float) - x) ** 2).mean())))
    assert "last value" in found.sentence and f"val_rmse {found.value:.4g}" in found.sentence
