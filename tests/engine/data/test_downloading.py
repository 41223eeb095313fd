"""Sets are fetched before a run, resumed where they stopped, and refused where they are not the published ones.

A server of the test's own, on this machine, stands in for the ones that torchvision names.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import published_files as files
import pytest

from engine.data import load_data
from engine.data.load import fetch, forget, to_download
from engine.data.progress import progress_to
from engine.data.published import retrieving
from engine.experiment import Data, Draft, Experiment, Refused
from engine.plan import check


class Server:
    """Serves files by their names, whole or from a byte on; may break off, not answer, or support no ranges."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.breaks_after: list[int] = []
        self.knows_ranges = True
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name, range_ = self.path.rpartition("/")[2], self.headers.get("Range", "")
                server.asked.append((name, range_))
                content = server.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                begin = int(range_.removeprefix("bytes=").rstrip("-")) if range_ and server.knows_ranges else 0
                if begin >= len(content) > 0:
                    self.send_error(416)
                    return
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                rest = content[begin:]
                self.wfile.write(rest[: server.breaks_after.pop(0)] if server.breaks_after else rest)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def mnist(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST in small on the server, under the MD5 that torchvision is told; the folder that it is to come to."""
    from torchvision import datasets

    files.mnist(tmp_path / "original", packed=True)
    resources = []
    for name, _ in datasets.MNIST.resources:
        content = (tmp_path / "original" / "MNIST" / "raw" / name).read_bytes()
        server.files[name] = content
        resources.append((name, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url])
    return tmp_path / "root"


def data(root: Path, source: str = "mnist", **fields: Any) -> Data:
    forget()
    return Data.model_validate({"source": source, "root": str(root), **fields})


def refusal(some: Data) -> str:
    with pytest.raises(Refused) as refused:
        fetch(some)
    (mistake,) = refused.value.mistakes
    assert mistake.path == "data.root" and mistake.fix and "\n" not in str(mistake)
    return str(mistake)


def test_what_is_not_here_is_fetched_once_and_told(mnist: Path, server: Server) -> None:
    said: list[tuple[str, int, int]] = []
    assert to_download(data(mnist)) == f"Downloading mnist, about 11 MB, to {mnist}"
    with progress_to(lambda *what: said.append(what)):
        assert fetch(data(mnist))
    assert [name for name, _ in server.asked] == list(server.files)
    name = "train-images-idx3-ubyte.gz"
    total = len(server.files[name])
    assert (f"Downloading {name}", 0, total) in said and (f"Downloading {name}", total, total) in said
    assert to_download(data(mnist)) == "" and not fetch(data(mnist)) and len(server.asked) == 4
    assert load_data(data(mnist), seed=0).description.train_samples == 48
    assert not list(mnist.rglob("*.part"))


def test_checking_downloads_nothing_and_says_what_would_come(mnist: Path, server: Server) -> None:
    document = {"name": "m", "data": {"source": "mnist", "root": str(mnist)}}
    model = {"layers": ["Flatten", {"type": "Linear", "out_features": "auto"}]}
    plan = check(Draft(Experiment.model_validate({**document, "model": model})))
    assert plan.ok and plan.parameters == 7850 and plan.downloads == (f"Downloading mnist, about 11 MB, to {mnist}",)
    assert plan.description is not None and plan.description.train_samples == 48_000
    assert server.asked == [] and not mnist.exists()
    wrong = {"layers": ["Flatten", {"type": "Linear", "in_features": 700, "out_features": "auto"}]}
    plan = check(Draft(Experiment.model_validate({**document, "model": wrong})))
    assert any("in_features is 700" in str(mistake) for mistake in plan.mistakes)


def test_a_download_that_breaks_off_goes_on_where_it_was(mnist: Path, server: Server) -> None:
    server.breaks_after = [1000, 500]
    fetch(data(mnist))
    name = "train-images-idx3-ubyte.gz"
    assert [range_ for asked, range_ in server.asked if asked == name] == ["", "bytes=1000-", "bytes=1500-"]
    assert load_data(data(mnist), seed=0).description.train_samples == 48


def test_a_download_that_was_given_up_is_gone_on_with_the_next_time(mnist: Path, server: Server) -> None:
    def give_up(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with progress_to(give_up), pytest.raises(KeyboardInterrupt):
        fetch(data(mnist))
    (part,) = mnist.rglob("*.part")
    had = part.stat().st_size
    part.write_bytes(part.read_bytes()[: had // 2])
    server.asked.clear()
    fetch(data(mnist))
    assert server.asked[0] == ("train-images-idx3-ubyte.gz", f"bytes={had // 2}-")
    assert load_data(data(mnist), seed=0).description.train_samples == 48


def test_a_server_that_knows_no_ranges_is_asked_for_the_whole(mnist: Path, server: Server) -> None:
    server.knows_ranges, server.breaks_after = False, [1000]
    fetch(data(mnist))
    assert load_data(data(mnist), seed=0).description.train_samples == 48


def test_a_piece_of_something_longer_is_thrown_away(mnist: Path, server: Server) -> None:
    part = mnist / "MNIST" / "raw" / "train-images-idx3-ubyte.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1_000_000))
    fetch(data(mnist))
    assert load_data(data(mnist), seed=0).description.train_samples == 48


@pytest.mark.parametrize("where", ["beginning", "piece"])
def test_what_is_not_what_was_published_is_refused_and_can_be_tried_again(
    mnist: Path, server: Server, where: str
) -> None:
    name = "t10k-images-idx3-ubyte.gz"
    right = server.files[name]
    if where == "beginning":
        server.files[name] = right[:100] + b"?" + right[101:]
    else:
        part = mnist / "MNIST" / "raw" / f"{name}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"?" * 200)
    said = refusal(data(mnist))
    assert "the downloaded file differs from the published one; its MD5 is different" in said
    assert to_download(data(mnist))
    server.files[name] = right
    fetch(data(mnist))
    assert load_data(data(mnist), seed=0).description.test_samples == 20


def test_a_server_that_is_not_there_is_one_sentence_with_what_to_do(mnist: Path, server: Server) -> None:
    server.close()
    said = refusal(data(mnist))
    assert re.search(r"could not be downloaded \(.*refused\); it is not in ", said)
    assert (
        "Connect to the network (about 11 MB), or set data.root to the folder that torchvision.datasets.MNIST uses."
        in said
    )


def test_a_file_that_is_not_there_is_said_in_the_servers_words(mnist: Path, server: Server) -> None:
    del server.files["t10k-labels-idx1-ubyte.gz"]
    assert "the server answers 404" in refusal(data(mnist))


def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(retrieving, "SILENCE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(OSError, match="timed out"):
            retrieving.retrieve(f"http://127.0.0.1:{silent.getsockname()[1]}/x", tmp_path / "x")


def test_a_set_that_may_not_be_fetched_is_said_to_be_missing(mnist: Path, server: Server) -> None:
    with pytest.raises(Refused, match=r"mnist is not in .*, and data\.download is false"):
        load_data(data(mnist, download=False), seed=0)
    assert server.asked == []


def test_a_folder_that_cannot_be_written_is_said(mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refusal(data(tmp_path / "file" / "root"))


def test_an_archive_is_unpacked_and_the_pickles_in_it_are_compared(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    original, root = tmp_path / "original", tmp_path / "root"
    files.cifar(original, monkeypatch)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(original / "cifar-10-batches-py", "cifar-10-batches-py")
    server.files[archive.name] = archive.read_bytes()
    monkeypatch.setattr(datasets.CIFAR10, "url", server.url + archive.name)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    fetch(data(root, "cifar10"))
    assert load_data(data(root, "cifar10"), seed=0).x.shape == (120, 3, 32, 32)


PROGRAM = """
import json, sys
from torchvision import datasets
datasets.MNIST.mirrors = [sys.argv[1]]
datasets.MNIST.resources = [tuple(pair) for pair in json.loads(sys.argv[2])]
sys.argv[1:] = sys.argv[3:]
from tui.cli import main
main()
"""


def torchdeck(server: Server, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    from torchvision import datasets

    told = [server.url, json.dumps(datasets.MNIST.resources)]
    command = [sys.executable, "-c", PROGRAM, *told, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=170)


def test_data_downloads_from_the_command_line(mnist: Path, server: Server, tmp_path: Path) -> None:
    result = torchdeck(server, "data", "mnist", "--set", f"data.root={mnist}", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(server.asked) == 4 and json.loads(result.stdout)


def test_training_downloads_first_and_plans_for_what_came(mnist: Path, server: Server, tmp_path: Path) -> None:
    small = [part for change in (f"data.root={mnist}", "training.epochs=1") for part in ("--set", change)]
    result = torchdeck(server, "train", "mnist-lenet", "--headless", "--json", *small, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"Downloading mnist, about 11 MB, to {mnist} …" in result.stderr
    started = json.loads(result.stdout.splitlines()[0])
    assert started["event"] == "run_started" and started["train_samples"] == 54


def test_training_offline_is_one_sentence_and_status_2(mnist: Path, server: Server, tmp_path: Path) -> None:
    server.close()
    result = torchdeck(server, "train", "mnist-lenet", "--headless", "--set", f"data.root={mnist}", cwd=tmp_path)
    assert result.returncode == 2 and "could not be downloaded" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr and not (tmp_path / "runs").exists() and os.listdir(mnist) == ["MNIST"]
