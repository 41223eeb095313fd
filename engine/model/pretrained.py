"""Published weights of backbones: where torch keeps them, whether they are there, and how they come.

They are fetched before a run begins, and looked at whether they are what was published. No pickle runs: torch.load is
told `weights_only`, which the functions of torchvision that build a model with its weights do not do.
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
"""How long a server may say nothing before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The file of one layer's weights."""

    path: str
    """The layer's place in the document."""
    model: str
    weights: Weights
    file: Path
    """Where torch keeps it: below TORCH_HOME, or ~/.cache/torch."""

    @property
    def is_here(self) -> bool:
        """Whether there is a file; what is in it is looked at when a run begins."""
        return self.file.is_file()

    @property
    def mistake(self) -> Mistake | None:
        """That there is no folder for the weights: of a `~` that stands for none, torch would make a folder."""
        problem = home_problem(self.file)
        found = f"there is no folder for the weights of {self.model}: {problem}"
        return Mistake(f"{self.path}.weights", found, "", "Set TORCH_HOME to a folder.", BACKBONE) if problem else None

    @property
    def note(self) -> str:
        """One sentence on whether the weights are here."""
        if self.mistake is not None:
            return "Its weights have no folder to lie in: set TORCH_HOME to one."
        if self.is_here:
            return f"Its weights are here: {self.file}."
        return f"Its weights are not here yet: {self.weights.megabytes:.0f} MB are downloaded when the run starts."

    @property
    def download(self) -> str:
        """One sentence on what is fetched, from where to where."""
        return f"Downloading {self.weights.megabytes:.0f} MB, {self.weights.url}, to {self.file.parent}"


def wanted(layers: Sequence[Layer]) -> list[Wanted]:
    """The files that the backbones of a model begin from."""
    found = []
    for path, layer in by_path(layers).items():
        weights = weights_of(layer.parameters) if layer.type == BACKBONE else None
        if weights is not None:
            file = Path(hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
            found.append(Wanted(path=path, model=layer.parameters["name"], weights=weights, file=file))
    return found


def fetch(layers: Sequence[Layer]) -> None:
    """Download what is not here, and see that every file is what torchvision published.

    Raises:
        Refused: with every file that cannot be had, or is another one.
    """
    mistakes = [wrong for each in wanted(layers) if (wrong := _fetched(each)) is not None]
    if mistakes:
        raise Refused(mistakes)


def load_published(network: nn.Module) -> None:
    """Let the backbones of a network begin from their weights, which lie here."""
    for module in network.modules():
        if isinstance(module, Backbone) and module.weights is not None:
            member = weights_member(module.name, module.weights.name)
            state = member.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
            module.load_published(state)


def _fetched(each: Wanted) -> Mistake | None:
    """Why a file cannot be had; None when it is here and right."""
    where = f"{each.path}.weights"
    if each.mistake is not None:
        return each.mistake
    if not each.is_here:
        try:
            each.file.parent.mkdir(parents=True, exist_ok=True)
            with _impatient():
                hub.download_url_to_file(each.weights.url, str(each.file), _hash_prefix(each), progress=False)
        except (OSError, HTTPException, RuntimeError) as error:
            found = f"the weights of {each.model} could not be downloaded ({_reason(error)})"
            fix = f'Put the file from {each.weights.url} there, or set weights = "none".'
            return Mistake(where, found, f"looked for {each.file}", fix, BACKBONE)
    try:
        with each.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found = f"{each.file} cannot be read ({error.strerror or error})"
        return Mistake(where, found, "", "Check its permissions.", BACKBONE)
    prefix = _hash_prefix(each) or ""
    if not digest.startswith(prefix):
        found = f"{each.file} is not what torchvision published"
        expected = f"its SHA-256 begins with {digest[: len(prefix)]}, not with {prefix}"
        return Mistake(where, found, expected, "Remove the file, and it is downloaded anew.", BACKBONE)
    return None


def _hash_prefix(each: Wanted) -> str | None:
    """The first digits of the SHA-256, which stand in the name of the file; None where there are none."""
    match = hub.HASH_REGEX.search(each.file.name)
    return match[1] if match and match[1] else None


def _reason(error: Exception) -> str:
    """Why, in the words of the server or the system."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, URLError):
        return _reason(error.reason) if isinstance(error.reason, Exception) else str(error.reason)
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE_S:.0f} s"
    if isinstance(error, RuntimeError):
        return "what came has another SHA-256 than was published"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"it broke off: {error}" if str(error) else "it broke off"


@contextmanager
def _impatient() -> Iterator[None]:
    """torch waits for ever for a server that is silent."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
