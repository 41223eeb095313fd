"""Published weights come before the run, are what was published, and are said in one sentence where they cannot be had.

A server of the test's own stands in for torchvision's: its files are in torchvision's format, under names that carry
the beginning of their SHA-256 as the published ones do.
"""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import pickle
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import warm_torchdeck
from networks import AUTO, experiment, images
from torch import nn

from engine.catalog.layers.published_models import weights_member
from engine.experiment import Draft, Refused, read
from engine.experiment.document import Model
from engine.model import build
from engine.model.backbone import Backbone
from engine.model.published_weights import download_weights, load_published
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

NEWER = re.compile(r"(denselayer\d+\.(?:norm|conv))([12]\.)")
OLDER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def published_by_torchvision(name: str) -> Any:
    """Weights as the files of torchvision have them: helping heads with them, densenet's in their older names."""
    from torchvision import models

    torch.manual_seed(7)
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    state = models.get_model(name, **more).state_dict()
    for key in list(state):
        if name.startswith("densenet") and (older := NEWER.sub(r"\1.\2", key)) != key:
            state[older] = state.pop(key)
    return state


def as_file(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


class Server:
    """Serves files by their names, and counts what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                server.asked.append(name)
                content = server.files.get(name)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/models/{name}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let torchvision know of a model's weights at the server, in a file of that content; its path in the cache."""

    def at_server(name: str, content: bytes, *, served: bytes | None = None) -> Path:
        file = f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        server.files[file] = content if served is None else served
        monkeypatch.setattr(weights_member(name, "DEFAULT").value, "url", server.url(file))
        return Path(os.environ["TORCH_HOME"]) / "hub" / "checkpoints" / file

    return at_server


def layers(name: str, **more: Any) -> Any:
    backbone = {"type": "torchvision", "name": name, "weights": "DEFAULT", **more}
    return Model.model_validate({"layers": [backbone, AUTO]}).layers


def refusal(model: Any) -> str:
    with pytest.raises(Refused) as refused:
        download_weights(model)
    (mistake,) = refused.value.mistakes
    return str(mistake)


NEW_HEAD = {"features": False, "num_classes": 4, "freeze": True}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("squeezenet1_1", {}),
        ("squeezenet1_1", {"features": False}),
        ("squeezenet1_1", NEW_HEAD),
        ("densenet121", {}),
        ("googlenet", {"features": False}),
        ("mnasnet0_5", NEW_HEAD),
        ("shufflenet_v2_x0_5", NEW_HEAD),
    ],
)
def test_a_network_starts_from_weights_in_torchvisions_format(name, more, publish, server):
    state = published_by_torchvision(name)
    file = publish(name, as_file(state))
    model = layers(name, **more)
    download_weights(model)
    assert file.is_file() and len(server.asked) == 1
    network = build(experiment(*(layer.model_dump(exclude_none=True) for layer in model)), images(3, 224, 224))
    load_published(network)
    backbone = network[0]
    theirs = {OLDER.sub(r"\1\2", key): value for key, value in state.items()}
    own = backbone.model.state_dict()
    loaded = {key for key, value in own.items() if key in theirs and torch.equal(value, theirs[key])}
    new = {key for key in own if key.startswith(f"{backbone.head}.")} if "num_classes" in more else set()
    assert loaded == set(own) - new
    # And a checkpoint, which does not say of which version its weights are, can be put back.
    assert backbone.model.load_state_dict(dict(own))


def test_a_plan_says_whether_weights_are_here_and_downloads_nothing(publish, server):
    file = publish("resnet18", b"")
    plan = check(read("resnet18-finetune"))
    assert plan.ok and not plan.mistakes
    assert plan.layers[0].published == "Its weights are not downloaded yet: the run downloads 45 MB when it starts."
    assert server.asked == [] and "Downloading 45 MB, http://127.0.0.1" in plan.downloads[0]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    plan = check(read("resnet18-finetune"))
    assert plan.layers[0].published == f"Its weights are downloaded: {file}." and plan.downloads == ()


def test_weights_that_cannot_be_had_are_refused_with_the_place_and_the_fix(publish, server, monkeypatch):
    file = publish("squeezenet1_1", b"right")
    url = server.url(file.name)
    server.files.clear()
    assert refusal(layers("squeezenet1_1")) == (
        "model.layers[0].weights torchvision: the weights of squeezenet1_1 could not be downloaded (the server answers "
        f'404 Not Found); expected them in {file}. Save {url} there, or set weights = "none".'
    )
    server.files[file.name] = b"wrong"
    assert "(the downloaded file has another SHA-256 than the published one)" in refusal(layers("squeezenet1_1"))
    assert not list(file.parent.iterdir())
    nobody = f"http://127.0.0.1:9/models/{file.name}"
    monkeypatch.setattr(weights_member("squeezenet1_1", "DEFAULT").value, "url", nobody)
    assert "(Connection refused)" in refusal(layers("squeezenet1_1"))
    file.parent.rmdir()
    file.parent.write_text("a file where the folder should be")
    assert "(File exists)" in refusal(layers("squeezenet1_1"))


def test_a_file_in_the_cache_that_is_another_one_is_refused(publish, server):
    file = publish("squeezenet1_1", b"right")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"changed")
    said = refusal(layers("squeezenet1_1"))
    assert f"{file} is not what torchvision published; its SHA-256 starts with" in said
    assert said.endswith("Delete the file; it is then downloaded again.") and server.asked == []


class Attack:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_among_the_weights_is_not_run(publish, tmp_path):
    publish("squeezenet1_1", as_file({"features.0.weight": Attack(tmp_path / "attacked")}))
    download_weights(layers("squeezenet1_1"))
    with pytest.raises(pickle.UnpicklingError):
        load_published(nn.ModuleList([Backbone("squeezenet1_1", weights="DEFAULT")]))
    assert not (tmp_path / "attacked").exists()


SMALL = [
    *("data.source=digits", "model.layers[0].resize=32", "model.layers[0].name=shufflenet_v2_x0_5"),
    *("scheduler=none", "training.threads=1"),
]


def trained(draft: Draft, tmp_path: Path) -> Session:
    return ended(Session.create(check(draft), runs_dir=tmp_path / "runs"))


def ended(session: Session) -> Session:
    session.start()
    assert session.join(100) and session.finished.reason.value == "completed", session.finished
    return session


def test_a_frozen_backbone_is_trained_on_and_resumed_without_its_file(publish, server, tmp_path):
    state = published_by_torchvision("shufflenet_v2_x0_5")
    file = publish("shufflenet_v2_x0_5", as_file(state))
    whole = trained(read("resnet18-finetune", [*SMALL, "training.epochs=2"]), tmp_path)
    half = trained(read("resnet18-finetune", [*SMALL, "training.epochs=1"]), tmp_path)
    file.unlink()
    server.files.clear()
    again = ended(Session.resume(half.directory, ("training.epochs=2",)))
    assert len(server.asked) == 1
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    kept = load_checkpoint(newest_checkpoint(again.directory / "checkpoints")).model
    assert all(torch.equal(kept[f"0.model.{key}"], value) for key, value in state.items() if not key.startswith("fc."))
    moved = {key for key in kept if key.startswith("1.")}
    assert moved == {"1.weight", "1.bias"}
    log = (again.directory / "events.jsonl").read_text()
    assert "of its weights are frozen" in log and "not here yet" not in log


@pytest.mark.parametrize("average", ["{type='ema', decay=0.9}", "{type='swa', start=0.5}"])
def test_averaged_weights_leave_the_norms_of_a_frozen_backbone_alone(average, publish, tmp_path):
    state = published_by_torchvision("shufflenet_v2_x0_5")
    publish("shufflenet_v2_x0_5", as_file(state))
    asked = [*SMALL, "training.epochs=2", f"regularization.average={average}"]
    network = trained(read("resnet18-finetune", asked), tmp_path).network
    own = network[0].model.state_dict()
    assert all(torch.equal(own[key], value) for key, value in state.items() if not key.startswith("fc."))


def test_a_run_whose_weights_cannot_be_had_does_not_begin_and_exits_with_2(tmp_path):
    command = ["train", "resnet18-finetune", "--headless", "--runs-dir", str(tmp_path)]
    offline = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "", "TORCH_HOME": str(tmp_path / "torch")}
    done = warm_torchdeck.run(*command, cwd=tmp_path, env=os.environ | offline)
    assert done.returncode == 2 and done.stdout == ""
    downloading, refused = done.stderr.splitlines()
    assert downloading.startswith("Downloading 45 MB, https://download.pytorch.org/models/resnet18-f37072fd.pth, to ")
    assert refused.startswith("model.layers[0].weights torchvision: the weights of resnet18 could not be downloaded")
    assert refused.endswith('or set weights = "none".')
    assert [path.name for path in tmp_path.iterdir()] == ["torch"]
