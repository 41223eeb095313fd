import subprocess
import sys
from typing import Any

import pytest

from engine.data import SOURCES, load_data, source_mistakes, with_defaults
from engine.data.documents import presets
from engine.experiment import Data, Refused, read


def data(source: str, **fields: Any) -> Data:
    return Data.model_validate({"source": source, **fields})


def said(data: Data) -> list[str]:
    return [str(mistake) for mistake in source_mistakes(data)]


def test_every_source_says_what_it_is_when_to_use_it_and_what_each_parameter_does() -> None:
    assert {"digits", "wine", "mackey-glass", "stdlib-docs", "arrays", "images"} <= set(SOURCES)
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.summary.endswith(".") and source.when.endswith(".")
        assert all(field.description for field in source.model_fields.values())


def test_an_unknown_source_is_answered_with_the_nearest() -> None:
    (sentence,) = said(data("mackey_glas"))
    assert sentence.startswith("data.source: 'mackey_glas' is not a data source; expected one of digits, ")
    assert sentence.endswith("Did you mean mackey-glass?")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("windw", "window"), ("horizont", "horizon"), ("batchsize", "batch_size"), ("vlidation", "validation")],
)
def test_an_unknown_parameter_is_answered_with_the_nearest(wrong: str, meant: str) -> None:
    (sentence,) = said(data("mackey-glass", **{wrong: 1}))
    assert sentence.startswith(f"data.{wrong}: ") and sentence.endswith(f"Did you mean {meant}?")


def test_every_mistake_of_the_parameters_is_said_at_once() -> None:
    wrong = data("mackey-glass", windw=3, tau="x", length=10, stride=2.5, validation=0.5, test=0.6)
    paths = [mistake.path for mistake in source_mistakes(wrong)]
    assert sorted(paths) == ["data.length", "data.stride", "data.tau", "data.test", "data.windw"]


def test_a_parameter_that_is_missing_is_named() -> None:
    (sentence,) = said(data("arrays"))
    assert sentence.startswith("data.path: it is missing")


def test_the_wrong_type_is_said_with_what_was_found_and_expected() -> None:
    assert said(data("digits", as_rows="yes")) == [
        "data.as_rows: found 'yes'; expected true or false. Correct it, or remove it for the default, false."
    ]


def test_a_window_longer_than_a_part_of_the_series_is_refused_with_a_length_that_does() -> None:
    (mistake,) = source_mistakes(data("mackey-glass", window=1500))
    assert mistake.path == "data.window" and "1,501" in mistake.found and "1,200 of 6,000" in mistake.expected
    enough = int(mistake.fix.split()[-1].rstrip("."))
    longer = data("mackey-glass", window=1500, length=enough)
    assert not source_mistakes(longer)
    assert load_data(longer, seed=0).description.val_samples >= 1


def test_windows_that_no_memory_holds_are_refused_before_they_are_made() -> None:
    (mistake,) = source_mistakes(data("mackey-glass", length=1_000_000, window=10_000))
    assert "GiB" in mistake.found
    stride = int(mistake.fix.split("data.stride to ")[1].split()[0])
    assert not source_mistakes(data("mackey-glass", length=1_000_000, window=10_000, stride=stride))


def test_loading_what_is_wrong_is_refused_with_the_same_mistakes() -> None:
    wrong = data("digits", as_row=True, validation=0.9, test=0.9)
    with pytest.raises(Refused) as refused:
        load_data(wrong, seed=0)
    assert list(refused.value.mistakes) == source_mistakes(wrong) and len(refused.value.mistakes) == 2


def test_the_defaults_of_a_source_are_filled_in_beside_what_was_given() -> None:
    full = with_defaults(data("mackey-glass", window=32, validation=0.1, batch_size=16))
    assert full.parameters == {"length": 6000, "tau": 17, "window": 32, "horizon": 1, "stride": 1}
    assert (full.validation, full.test, full.batch_size) == (0.1, 0.0, 16)
    assert with_defaults(full) == full


def test_a_wrong_parameter_gives_way_to_its_default_and_an_unknown_source_is_left_alone() -> None:
    assert with_defaults(data("digits", as_rows=3, other=1)).parameters == {"as_rows": False}
    assert with_defaults(data("nothing", a=1)) == data("nothing", a=1)
    assert with_defaults(data("arrays")) == data("arrays")


@pytest.mark.parametrize("preset", [preset.name for preset in presets()])
def test_the_data_of_every_preset_is_right(preset: str) -> None:
    experiment = read(preset).experiment
    assert experiment is not None and source_mistakes(experiment.data) == []


def test_checking_and_completing_parameters_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys\n"
        "from engine.data import SOURCES, source_mistakes, with_defaults\n"
        "from engine.experiment.document import Data\n"
        "for source in SOURCES: source_mistakes(Data(source=source)), with_defaults(Data(source=source))\n"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_digits_are_read_without_importing_scikit_learn() -> None:
    code = (
        "import sys\n"
        "from engine.data import load_data\n"
        "from engine.experiment.document import Data\n"
        "load_data(Data(source='digits'), 0), load_data(Data(source='mackey-glass'), 0)\n"
        "print([m for m in ('sklearn', 'scipy', 'torchvision') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
