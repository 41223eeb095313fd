"""Language modelling from a text file to the last bit, against a loop written by hand."""

import math

import pytest
import torch
from torch import nn

from engine.data import baselines_of, load_data
from engine.experiment import Refused, reads
from engine.plan import check
from engine.protocol.events import Epoch, Log
from engine.training.order import epoch_order
from engine.training.session import Session

TEXT = "".join(f"{i} times {j} is {i * j}.\n" for i in range(30) for j in range(12))
LAYERS = """layers = [
  {type = "Embedding", embedding_dim = 12}, {type = "LSTM", hidden_size = 20, output = "sequence"},
  {type = "Linear", out_features = "auto"},
]"""
DOCUMENT = """
seed = 3
[data]
source = "characters"
path = "%s"
window = 16
validation = 0.2
batch_size = 20
[model]
%s
[loss]
type = "CrossEntropyLoss"
label_smoothing = 0.1
[optimizer]
type = "SGD"
lr = 0.5
[training]
epochs = 3
threads = 1
"""


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "tables.txt"
    path.write_text(TEXT)
    return DOCUMENT % (path, LAYERS)


def run(tmp_path, text):
    session = Session.create(check(reads(text)), runs_dir=tmp_path / "runs")
    session.start()
    assert session.join(120)
    return session, session.drain()


def said(text, *overrides):
    return [str(mistake) for mistake in check(reads(text, overrides)).mistakes]


def test_losses_are_those_of_a_loop_written_by_hand_to_the_last_bit(tmp_path, document):
    _session, events = run(tmp_path, document)
    train = TEXT[: len(TEXT) - int(len(TEXT) * 0.2 + 0.5)]
    frequent = sorted(set(train), key=lambda c: (-train.count(c), c))
    number = {c: i + 2 for i, c in enumerate(frequent)}
    tokens = torch.tensor([number.get(c, 1) for c in TEXT])
    windows = [tokens[s : s + 17] for s in range(0, len(train) - 16, 16)]
    held = [tokens[s : s + 17] for s in range(len(train), len(TEXT) - 16, 16)]

    torch.manual_seed(3)
    torch.set_num_threads(1)
    embedding, lstm = nn.Embedding(len(frequent) + 2, 12), nn.LSTM(12, 20, batch_first=True)
    linear = nn.Linear(20, len(frequent) + 2)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    parameters = [*embedding.parameters(), *lstm.parameters(), *linear.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.5, fused=True)

    def forward(batch):
        return linear(lstm(embedding(batch[:, :-1]))[0])

    for epoch, event in enumerate((e for e in events if isinstance(e, Epoch)), start=1):
        total = 0.0
        for part in epoch_order(len(windows), 3, epoch).split(20):
            batch = torch.stack([windows[i] for i in part.tolist()])
            loss = criterion(forward(batch).flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(part)
        assert event.train_loss == total / len(windows)
        with torch.no_grad():
            batch = torch.stack(held)
            scores, target = forward(batch).flatten(0, 1), batch[:, 1:].flatten()
        bits = nn.functional.cross_entropy(scores, target).item() / math.log(2)
        assert event.metrics["val_bits"] == pytest.approx(bits, rel=1e-5)
        assert event.metrics["val_accuracy"] == pytest.approx((scores.argmax(1) == target).double().mean().item())
        assert event.val_loss == pytest.approx(criterion(scores, target).item(), rel=1e-6)
    assert epoch == 3


def test_it_generates_text_after_each_epoch_without_changing_the_bits_of_the_run(tmp_path, document):
    _, events = run(tmp_path, document)
    written = [e.message for e in events if isinstance(e, Log) and " writes: " in e.message]
    assert [line.partition(" writes: ")[0] for line in written] == ["Epoch 1", "Epoch 2", "Epoch 3"]
    assert all(set(line.partition(" writes: ")[2]) <= set(TEXT) for line in written)
    _, greedy = run(tmp_path, document.replace("window = 16", "window = 16\ntemperature = 0.0"))
    losses = [[e.train_loss for e in some if isinstance(e, Epoch)] for some in (events, greedy)]
    assert losses[0] == losses[1] and len(losses[0]) == 3


def test_the_end_compares_with_a_model_that_counts_three_characters(tmp_path, document):
    session, events = run(tmp_path, document)
    (counted,) = baselines_of(load_data(session.plan.experiment.data, 3))
    assert any(e.message == counted.sentence for e in events if isinstance(e, Log))
    best = min(e.metrics["val_bits"] for e in events if isinstance(e, Epoch))
    better = best < 0.99 * counted.value
    assert session.finished.better_than_baseline == better
    how = f"{100 * (1 - best / counted.value):.0f} % below" if better else "no better than"
    assert f"val_bits {best:.4g}: {how} a 3-gram model ({counted.value:.4g})" in session.finished.message


def test_the_vocabulary_is_that_of_the_training_part_alone(tmp_path, document):
    before = load_data(reads(document).experiment.data, 3)
    path = tmp_path / "tables.txt"
    held = len(TEXT) - int(len(TEXT) * 0.2 + 0.5)
    path.write_text(TEXT[:held] + "€" * (len(TEXT) - held))
    after = load_data(reads(document).experiment.data, 3)
    assert after.learned == before.learned and "€" not in after.vocabulary
    assert torch.equal(after.x[after.train], before.x[before.train])
    assert not torch.equal(after.x[after.validation], before.x[before.validation])
    assert (after.y[after.validation] == 1).all()


def test_a_network_with_one_output_for_all_steps_gets_a_fix(document):
    (mistake,) = said(document.replace('output = "sequence"', 'output = "last"'))
    assert (
        'Set output = "sequence" in model.layers[1].' in mistake and "each of the 16 steps needs scores of" in mistake
    )
    (mistake,) = said(document, "model.layers[2].out_features=5")
    assert "out_features is 5" in mistake and 'Write out_features = "auto".' in mistake


@pytest.mark.parametrize(
    "layers",
    [
        '{type = "Embedding", embedding_dim = 12}, {type = "LSTM", hidden_size = 9, bidirectional = true, '
        'output = "sequence"}, {type = "Linear", out_features = "auto"}',
        '{type = "Embedding", embedding_dim = 12}, {type = "TransformerEncoder", nhead = 2}, '
        '{type = "Linear", out_features = "auto"}',
    ],
)
def test_a_layer_that_sees_the_token_to_predict_is_refused(document, layers):
    (mistake,) = said(document.replace(LAYERS, f"layers = [{layers}]"))
    assert "model.layers[1]" in mistake and "each step would see the token that it predicts" in mistake


def test_a_regression_loss_is_refused_for_text(document):
    assert any("the task is language modelling" in m for m in said(document, "loss=MSELoss"))


def test_a_language_model_resumes_and_accumulates_like_other_models(tmp_path, document):
    whole, _ = run(tmp_path, document.replace("batch_size = 20", "batch_size = 20") + "accumulation_steps = 1\n")
    parts, _ = run(tmp_path, document.replace("batch_size = 20", "batch_size = 10") + "accumulation_steps = 2\n")
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it contains no text"),
        (b" \n\t", "it contains no text"),
        (b"abc\nde\xff", r"byte 6 \(line 2\) is 0xff, which is not UTF-8"),
        (b"too short", r"shortest part of the text has"),
    ],
)
def test_a_text_that_cannot_be_used_is_reported_with_its_file_and_position(tmp_path, content, says):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(Refused, match=says) as refused:
        load_data(reads(DOCUMENT % (path, LAYERS)).experiment.data, 0)
    assert str(path) in str(refused.value)
