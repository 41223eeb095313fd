"""Download files with progress; interrupted downloads continue, and a silent server times out.

torchvision's own functions start again each time, draw a bar on standard error, and have no timeout. They have no hook,
so the two that use the network are replaced during a download. torchvision checks the MD5 of each file itself.
"""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from engine.data.progress import progress

SILENCE_S = 30.0
"""Timeout for a silent server, in seconds."""
ATTEMPTS = 5
"""Attempts to continue an interrupted download, as long as each one gets more data."""
AT_ONCE = 1 << 18
_one_at_a_time = threading.Lock()


class BrokeOff(OSError):
    """A server sent less than announced."""


@contextmanager
def patched_downloads() -> Iterator[list[Exception]]:
    """Context in which torchvision downloads with `retrieve`; yields the list of network errors."""
    from torchvision.datasets import utils

    failed: list[Exception] = []
    insecure: set[str] = set()

    def retrieve_(url: str, filename: str | Path, **_: Any) -> None:
        if url in insecure:  # torchvision would try http after https failed
            raise failed[-1]
        try:
            retrieve(url, Path(filename))
        except (OSError, HTTPException) as error:
            failed.append(error)
            insecure.add(url.replace("https:", "http:", 1))
            raise error if isinstance(error, OSError) else URLError(str(error)) from None

    with _one_at_a_time:
        before = utils._urlretrieve, utils._get_redirect_url
        utils._urlretrieve, utils._get_redirect_url = retrieve_, lambda url, max_hops=3: url
        try:
            yield failed
        finally:
            utils._urlretrieve, utils._get_redirect_url = before


def retrieve(url: str, file: Path) -> None:
    """Download a file. A partial download is saved next to it as `.part` and is continued.

    Raises:
        OSError: the download failed, or was interrupted too often.
    """
    part = file.with_name(f"{file.name}.part")
    for attempt in range(1, ATTEMPTS + 1):
        had = part.stat().st_size if part.exists() else 0
        try:
            _continue_download(url, part, had)
            break
        except BrokeOff:
            if attempt == ATTEMPTS or part.stat().st_size <= had:
                raise
    os.replace(part, file)


def _continue_download(url: str, part: Path, had: int) -> None:
    headers = {"User-Agent": "torchdeck"} | ({"Range": f"bytes={had}-"} if had else {})
    name = part.name.removesuffix(".part")
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SILENCE_S)
    except HTTPError as error:
        if error.code != 416 or not had:
            raise
        part.unlink()  # the file on the server has changed
        return _continue_download(url, part, 0)
    with response:
        begun = had if response.status == 206 else 0
        total = begun + response.length if response.length is not None else 0
        done = begun
        with part.open("r+b" if begun else "wb") as out:
            out.seek(begun)
            progress(f"Downloading {name}", done, total)
            while block := response.read(AT_ONCE):
                out.write(block)
                done += len(block)
                progress(f"Downloading {name}", done, total)
            out.truncate()
    if done < total:
        raise BrokeOff(f"{name} broke off after {done:,} of {total:,} bytes")
    progress(f"Unpacking {name}", 0, 0)
    return None


def reason(error: Exception) -> str:
    """Why it could not be fetched, in the words of the server or the system."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, URLError):
        return reason(error.reason) if isinstance(error.reason, Exception) else str(error.reason)
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE_S:.0f} s"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__
