"""Words by Unicode's rules, in many scripts; what runs of before read as before; a warning where much is unknown."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
import torch
import warm_torchdeck
from hypothesis import given, settings
from hypothesis import strategies as st
from text_files import written

from engine.data.load import forget, load_data
from engine.data.recorded import RecordedData
from engine.data.words import words_in
from engine.experiment import Data, read
from engine.plan import check
from engine.sizes import share_text
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

EXAMPLES = 3000 if os.environ.get("TORCHDECK_THOROUGH") else 100

HINDI = "नमस्ते दुनिया, अच्छी फिल्म!"
DECOMPOSED = unicodedata.normalize("NFD", "Café crème à Zürich")
CHINESE = ("这部电影太无聊了第{}次", "我非常喜欢这部电影第{}次")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HINDI, ["नमस्ते", "दुनिया", ",", "अच्छी", "फिल्म", "!"]),
        (DECOMPOSED, ["café", "crème", "à", "zürich"]),
        ("ที่นี่ น้ำ ดี", ["ที่นี่", "น้ำ", "ดี"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
        ("السَّلامُ", ["السَّلامُ"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("Tiếng Việt", ["tiếng", "việt"]),
        (unicodedata.normalize("NFD", "한국어"), ["한국어"]),
        ("İstanbul'da", ["i̇stanbul", "'", "da"]),
        ("don't 3.14 x_1", ["don", "'", "t", "3", ".", "14", "x_1"]),
        ("👨\u200d👩\u200d👧👍🏽❤️🇩🇪🇫🇷", ["👨\u200d👩\u200d👧", "👍🏽", "❤️", "🇩🇪", "🇫🇷"]),
        ("ไทย\u200bไทย \u200e", ["ไทย", "ไทย"]),
        ("\u0301 a", ["\u0301", "a"]),
        ("१२ ३", ["१२", "३"]),
    ],
)
def test_marks_belong_to_the_word_that_they_stand_in(text: str, words: list[str]) -> None:
    assert list(words_in(text)) == words


LETTERS = st.text(st.sampled_from("aZé\u0301\u0308नमस्ि ีทก.,'_09👍🏽\u200d\u200c 这\n"), max_size=30)


@settings(max_examples=EXAMPLES, deadline=None)
@given(LETTERS | st.text(max_size=30))
def test_both_spellings_of_a_text_are_the_same_words_and_no_letter_is_lost(text: str) -> None:
    words = list(words_in(text))
    for form in ("NFC", "NFD"):
        assert list(words_in(unicodedata.normalize(form, text))) == words
    seen = [c for c in "".join(words) if unicodedata.category(c) != "Cf"]
    lower = unicodedata.normalize("NFC", text.lower())
    assert seen == [c for c in lower if not c.isspace() and unicodedata.category(c) != "Cf"]
    assert all(word and not word.isspace() for word in words)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=40) | st.text("éüßñŁ这русский ٣", max_size=20))
def test_text_without_marks_is_cut_as_it_always_was(text: str) -> None:
    assert list(words_in(text)) == list(words_in(text, rules=1))


DOCUMENT = """
data = {{source = "text", path = "{path}", batch_size = 8, validation = 0.25, tokens = "{tokens}"}}
model.layers = [
  {{type = "Embedding", embedding_dim = 4}},
  {{type = "GRU", hidden_size = 4}},
  {{type = "Linear", out_features = "auto"}},
]
training = {{device = "cpu", threads = 1, epochs = 1}}
"""


def document(folder: Path, rows: list[tuple[str, str]], tokens: str = "word") -> Path:
    file = folder / "a.toml"
    file.write_text(DOCUMENT.format(path=written(folder / "a.csv", rows), tokens=tokens))
    return file


def warnings_of(file: Path) -> list[str]:
    plan = check(read(str(file)))
    assert plan.ok
    return [str(mistake) for mistake in plan.mistakes]


CHINESE_ROWS = [(CHINESE[i % 2].format(i), ("neg", "pos")[i % 2]) for i in range(60)]


def test_chinese_as_words_is_a_warning_that_names_parts_and_shares_and_proposes_characters(tmp_path: Path) -> None:
    file = document(tmp_path, CHINESE_ROWS)
    (said,) = warnings_of(file)
    assert said == (
        "data.tokens: 100 % of the tokens of the training part and 100 % of the tokens of the validation part are "
        "unknown; the vocabulary has 2 words, learned from the training part. "
        'Set data.tokens = "character" or "bpe", which compose rare words; or lower data.min_count.'
    )
    for command in (("check", file.name), ("data", file.name)):
        result = warm_torchdeck.run(*command, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert "warning: data.tokens: 100 % of" in result.stdout + result.stderr
        assert "1e+02" not in result.stdout
    result = warm_torchdeck.run("train", file.name, "--headless", cwd=tmp_path)
    assert result.returncode == 0 and "data.tokens: 100 % of the tokens" in result.stderr


@pytest.mark.parametrize("tokens", ["character", "bpe"])
def test_what_the_warning_proposes_ends_it(tmp_path: Path, tokens: str) -> None:
    assert warnings_of(document(tmp_path, CHINESE_ROWS, tokens)) == []


def test_hindi_and_decomposed_text_are_known_words(tmp_path: Path) -> None:
    rows = [(("अच्छी फिल्म", "खराब फिल्म")[i % 2], ("pos", "neg")[i % 2]) for i in range(40)]
    assert warnings_of(document(tmp_path, rows)) == []
    forget()
    loaded = load_data(Data(source="text", path=str(tmp_path / "a.csv")), seed=0)
    assert set(loaded.vocabulary[2:]) == {"फिल्म", "अच्छी", "खराब"}
    rows = [(unicodedata.normalize(("NFC", "NFD")[i % 4 // 2], "un café"), ("pos", "neg")[i % 2]) for i in range(40)]
    for tokens in ("word", "bpe"):
        path = str(written(tmp_path / "b.csv", rows))
        loaded = load_data(Data(source="text", path=path, tokens=tokens), seed=0)
        assert len({tuple(row) for row in loaded.x[:].tolist()}) == 1


def test_a_part_of_another_language_is_named_alone(tmp_path: Path) -> None:
    rows = [(f"the film was {('good', 'bad')[i % 2]}", ("pos", "neg")[i % 2]) for i in range(40)]
    path = written(tmp_path / "a.csv", rows)
    other = written(tmp_path / "b.csv", [("der Film war gut", "pos"), ("the film was bad", "neg")])
    loaded = load_data(Data(source="text", path=str(path), test_path=str(other)), seed=0)
    (warning,) = loaded.description.warnings
    assert warning.severity == "warning" and warning.found == "38 % of the tokens of the test part are unknown"


def test_a_language_model_with_many_unknown_characters_is_warned_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(chr(0x4E00 + i) for i in range(2000)) * 2 + "abc " * 200)
    loaded = load_data(Data(source="characters", path=str(tmp_path / "a.txt"), window=16, min_count=3), seed=0)
    (warning,) = loaded.description.warnings
    assert warning.path == "data.min_count" and "of the tokens of the training part" in warning.found


def test_shares_are_said_without_an_exponent_and_never_rounded_to_all() -> None:
    said = [share_text(share) for share in (0, 1e-9, 0.0012, 0.063, 0.5, 0.9951, 0.999999, 1)]
    assert said == ["0 %", "0.01 %", "0.12 %", "6.3 %", "50 %", "99.51 %", "99.99 %", "100 %"]


def run(file: Path, runs: Path, recorded: RecordedData, *overrides: str) -> Session:
    session = Session.create(check(read(str(file), overrides), recorded), runs_dir=runs)
    session.start()
    assert session.join(60) and session.finished.reason.value == "completed"
    return session


def weights(session: Session) -> dict[str, torch.Tensor]:
    return load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).model


@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_a_run_that_began_by_the_first_rules_is_resumed_by_them_to_the_same_bits(
    tmp_path: Path, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"{HINDI} {DECOMPOSED} café {('good', 'bad')[i % 2]}", ("pos", "neg")[i % 2]) for i in range(32)]
    file = document(tmp_path, rows, tokens)
    first = RecordedData(rules=1)
    with monkeypatch.context() as patch:
        patch.setattr("engine.training.starting.NOTHING_RECORDED", first)
        whole = run(file, tmp_path / "whole", first, "training.epochs=2")
        half = run(file, tmp_path / "half", first)
    kept = half.directory / "data.json"
    learned = json.loads(kept.read_text())
    del learned["rules"]  # as runs of before have it
    kept.write_text(json.dumps(learned))
    assert tokens == "bpe" or "\u094d" in learned["vocabulary"]

    forget()
    resumed = Session.resume(half.directory, ["training.epochs=2"])
    resumed.start()
    assert resumed.join(60) and resumed.finished.reason.value == "completed"
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

    fresh = run(file, tmp_path / "fresh", RecordedData())
    learned = json.loads((fresh.directory / "data.json").read_text())
    assert learned["rules"] == RecordedData().rules and (tokens == "bpe" or "नमस्ते" in learned["vocabulary"])
