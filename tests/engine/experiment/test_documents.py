"""Reading documents: correct ones are read; every mistake of a wrong one is reported."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.experiment import Refused, dumps, load, preset_names, read, reads

MINIMAL = '[data]\nsource = "digits"\n[model]\nlayers = ["Flatten"]\n'


def said(text, *overrides):
    return [str(m) for m in reads(text, overrides).mistakes]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_no_mistake_of_form_and_survives_being_written_and_read(name):
    draft = read(name)
    assert draft.mistakes == ()
    assert reads(dumps(draft.experiment)).experiment == draft.experiment


def test_defaults_are_complete_in_what_is_written():
    written = tomllib.loads(dumps(reads(MINIMAL).experiment))
    assert written["seed"] == 0
    assert written["data"] == {
        "source": "digits",
        "validation": 0.2,
        "test": 0.0,
        "stratify": True,
        "transforms": [],
        "augment": [],
        "sampler": "shuffled",
        "normalize": True,
        "batch_size": 64,
        "memory_share": 0.5,
        "workers": "auto",
    }
    assert written["training"]["epochs"] == 10
    assert written["optimizer"] == {"type": "AdamW", "no_bias_decay": False, "groups": []}


def test_a_bare_string_is_a_type_with_its_defaults():
    bare = reads('optimizer = "SGD"\n' + MINIMAL).experiment
    table = reads(MINIMAL + '[optimizer]\ntype = "SGD"\n').experiment
    assert bare == table


def test_four_different_mistakes_are_all_said_at_once_each_with_its_path():
    mistakes = said(
        '[data]\nsource = "digits"\nbatch_size = "many"\nvalidation = 1.5\n'
        '[model]\nlayers = [{out_channels = 3}, "ReLU"]\n[training]\nepocs = 3\n'
    )
    assert mistakes == [
        "data.validation: found 1.5; expected a number below 1 or a whole number. "
        "Correct it, or remove it for the default, 0.2.",
        "data.batch_size: found 'many'; expected a whole number. Correct it, or remove it for the default, 64.",
        "model.layers[0].type: it is missing; expected here: Its name in the catalog, which is torch's name. Add it.",
        "training.epocs: 'epocs' is not a field of [training]; expected one of epochs, device, amp, threads, "
        "accumulation_steps, checkpoint_every_s, checkpoint_within_epoch_s, on_not_finite, max_rewinds, "
        "on_out_of_memory, early_stopping. Did you mean epochs?",
    ]


def test_what_is_wrong_is_set_aside_so_that_the_rest_can_be_checked():
    draft = reads('[data]\nsource = "digits"\nbatch_size = "many"\n[model]\nlayers = [5, "ReLU"]\n')
    assert draft.experiment.data.batch_size == 64
    assert [layer.type for layer in draft.experiment.model.layers] == ["Identity", "ReLU"]


def test_a_missing_part_is_named_with_the_key_that_was_probably_meant():
    assert "data.source: it is missing" in said('[data]\nsorce = "digits"\n[model]\nlayers = ["ReLU"]')[0]
    assert "sorce" in said('[data]\nsorce = "digits"\n[model]\nlayers = ["ReLU"]')[0]


def test_set_reaches_any_path_and_reads_its_value_as_toml():
    e = reads(
        MINIMAL,
        [
            "optimizer.lr=3e-4",
            "optimizer.betas=[0.8, 0.9]",
            "model.layers[0].start_dim=2",
            "training.early_stopping.patience=1",
            "name=fast",
            "seed=7",
            "data.shuffle=true",
        ],
    ).experiment
    assert e.optimizer.type == "AdamW" and e.optimizer.parameters == {"lr": 3e-4, "betas": [0.8, 0.9]}
    assert e.model.layers[0].parameters == {"start_dim": 2}
    assert e.training.early_stopping.patience == 1
    assert e.name == "fast" and e.seed == 7
    assert e.data.parameters == {"shuffle": True}


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("model.layers[3].p=1", "--set model.layers[3].p: there is no item at index 3; there are 1 of them."),
        ("optimizer", "--set optimizer: it does not have the form path=value"),
        ("=3", "--set =3: it does not have the form path=value"),
        ("a..b=3", "--set a..b=3: it does not have the form path=value"),
        ("seed.x=3", "--set seed.x: x cannot be set here"),
        ("optimzer.lr=1", "optimzer: 'optimzer' is not a section of an experiment"),
        ("training.epochs=0", "training.epochs: found 0; expected a number above 0."),
        ("training.device=gpu", "training.device: found 'gpu'; expected auto, cpu, cuda, cuda:1 or mps."),
        ("training.amp=bf16", "training.amp: found 'bf16'; expected 'auto', 'off', 'bfloat16' or 'float16'."),
        ("name=a/../b", "name: found 'a/../b'; expected letters, digits, '.', '-' and '_'"),
        ("seed=-1", "seed: found -1; expected at least 0."),
    ],
)
def test_a_wrong_override_is_one_sentence_with_its_path(override, start):
    text = "seed = 1\n" + MINIMAL if override.startswith("seed.") else MINIMAL
    mistakes = said(text, override)
    assert len(mistakes) == 1 and mistakes[0].startswith(start), mistakes


def test_a_file_that_is_not_toml_is_named_with_the_line(tmp_path):
    file = tmp_path / "broken.toml"
    file.write_text("name = \n")
    draft = read(file)
    assert draft.experiment is None
    assert str(file) in str(draft.mistakes[0]) and "line 1" in str(draft.mistakes[0])


def test_files_that_cannot_be_read_are_one_sentence_each(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    for name, part in {
        "none.toml": "there is no such file",
        "latin.toml": "not UTF-8",
        "large.toml": "at most 1 MiB",
        ".": "it is a folder",
    }.items():
        (mistake,) = read(tmp_path / name).mistakes
        assert part in str(mistake), name


def test_a_preset_that_does_not_exist_is_answered_with_the_nearest_one():
    (mistake,) = read("digit-cnn").mistakes
    assert str(mistake).endswith("Did you mean digits-cnn?")


def test_load_raises_every_mistake():
    with pytest.raises(Refused) as refused:
        load("digits-cnn", ["training.epocs=1", "seed=-1"])
    assert [m.path for m in refused.value.mistakes] == ["seed", "training.epocs"]


TOML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "layers", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
PATHS = st.sampled_from(
    """data data.source model model.layers model.layers[0] model.layers[0].type model.init loss optimizer scheduler
    scheduler.interval regularization training training.early_stopping name""".split()  # noqa: SIM905
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(PATHS, TOML_VALUES, max_size=3))
def test_no_document_however_wrong_makes_reading_it_fail(changes):
    from engine.experiment.draft import from_document
    from engine.experiment.overrides import _set
    from engine.experiment.paths import parse_path

    document = tomllib.loads(MINIMAL)
    for path, value in changes.items():
        _set(document, parse_path(path), value, path)
    draft = from_document(document)
    assert draft.experiment is not None
    assert all(str(m) for m in draft.mistakes)
