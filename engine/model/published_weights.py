"""Published weights of backbones: where torch stores them, whether they are downloaded, and the download.

They are downloaded before a run starts, and their SHA-256 is compared with the published one. No pickle runs:
torch.load gets `weights_only`, which torchvision's functions that build a model with its weights do not pass.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

from torch import hub, nn

from engine.catalog.layers.pretrained import BACKBONE, weights_of
from engine.catalog.layers.published_models import Weights, weights_member
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake, Refused
from engine.experiment.tree import by_path
from engine.model.backbone import Backbone
from engine.user_folders import home_problem

SILENCE_S = 30.0
"""How long to wait for a server that sends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """The file of one layer's weights."""

    path: str
    """The path of the layer in the document."""
    model: str
    weights: Weights
    file: Path
    """Where torch stores it: in TORCH_HOME, or in ~/.cache/torch."""

    @property
    def is_downloaded(self) -> bool:
        """Whether the file exists; its content is checked when a run starts."""
        return self.file.is_file()

    @property
    def mistake(self) -> Mistake | None:
        """The mistake that there is no folder for the weights: torch would create one called `~`."""
        problem = home_problem(self.file)
        found = f"there is no folder for the weights of {self.model}: {problem}"
        return Mistake(f"{self.path}.weights", found, "", "Set TORCH_HOME to a folder.", BACKBONE) if problem else None

    @property
    def note(self) -> str:
        """One sentence on whether the weights are downloaded."""
        if self.mistake is not None:
            return "There is no folder for its weights: set TORCH_HOME to one."
        if self.is_downloaded:
            return f"Its weights are downloaded: {self.file}."
        return f"Its weights are not downloaded yet: the run downloads {self.weights.megabytes:.0f} MB when it starts."

    @property
    def download(self) -> str:
        """One sentence on the download: its size, source and target."""
        return f"Downloading {self.weights.megabytes:.0f} MB, {self.weights.url}, to {self.file.parent}"


def weights_files(layers: Sequence[Layer]) -> list[WeightsFile]:
    """The files of the published weights in a model."""
    found = []
    for path, layer in by_path(layers).items():
        weights = weights_of(layer.parameters) if layer.type == BACKBONE else None
        if weights is not None:
            file = Path(hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
            found.append(WeightsFile(path=path, model=layer.parameters["name"], weights=weights, file=file))
    return found


def download_weights(layers: Sequence[Layer]) -> None:
    """Download the files that do not exist, and check that every file is as torchvision published it.

    Raises:
        Refused: with every file that cannot be downloaded, or has another SHA-256.
    """
    mistakes = [wrong for each in weights_files(layers) if (wrong := _download_mistake(each)) is not None]
    if mistakes:
        raise Refused(mistakes)


def load_published(network: nn.Module) -> None:
    """Load the published weights of the backbones of a network; their files must exist."""
    for module in network.modules():
        if isinstance(module, Backbone) and module.weights is not None:
            member = weights_member(module.name, module.weights.name)
            state = member.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
            module.load_published(state)


def _download_mistake(each: WeightsFile) -> Mistake | None:
    """The mistake of a file that cannot be downloaded or is damaged; None where it is complete."""
    where = f"{each.path}.weights"
    if each.mistake is not None:
        return each.mistake
    if not each.is_downloaded:
        try:
            each.file.parent.mkdir(parents=True, exist_ok=True)
            with _socket_timeout():
                hub.download_url_to_file(each.weights.url, str(each.file), _hash_prefix(each), progress=False)
        except (OSError, HTTPException, RuntimeError) as error:
            found = f"the weights of {each.model} could not be downloaded ({_reason(error)})"
            fix = f'Save {each.weights.url} there, or set weights = "none".'
            return Mistake(where, found, f"expected them in {each.file}", fix, BACKBONE)
    try:
        with each.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found = f"{each.file} cannot be read ({error.strerror or error})"
        return Mistake(where, found, "", "Check its permissions.", BACKBONE)
    prefix = _hash_prefix(each) or ""
    if not digest.startswith(prefix):
        found = f"{each.file} is not what torchvision published"
        expected = f"its SHA-256 starts with {digest[: len(prefix)]}, expected {prefix}"
        return Mistake(where, found, expected, "Delete the file; it is then downloaded again.", BACKBONE)
    return None


def _hash_prefix(each: WeightsFile) -> str | None:
    """The first digits of the SHA-256, from the name of the file; None where it has none."""
    match = hub.HASH_REGEX.search(each.file.name)
    return match[1] if match and match[1] else None


def _reason(error: Exception) -> str:
    """The reason of a failed download, in the words of the server or the system."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, URLError):
        return _reason(error.reason) if isinstance(error.reason, Exception) else str(error.reason)
    if isinstance(error, TimeoutError):
        return f"the server sent nothing for {SILENCE_S:.0f} s"
    if isinstance(error, RuntimeError):
        return "the downloaded file has another SHA-256 than the published one"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"the connection was lost: {error}" if str(error) else "the connection was lost"


@contextmanager
def _socket_timeout() -> Iterator[None]:
    """A timeout for torch, which has none and would wait forever for a server that sends nothing."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
