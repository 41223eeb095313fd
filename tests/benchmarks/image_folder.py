"""The time for a folder of many small images: to scan it the first time, and to the first batch the next time.

    python tests/benchmarks/image_folder.py [--images 100000] [--side 32] [--folder FOLDER]

It writes random PNGs in ten classes (to FOLDER, which is reused if it exists), and starts a fresh process three times,
with a separate cache folder: `first` lists the folder and decodes every image, `again` uses the cache, `files` does not
use cached pixels. It prints the seconds to list and check the folder, the seconds to the first batch on the CPU
(imports included), and the peak of resident memory with its anonymous part: the system can take back pages of mapped
pixels. The exit status is 1 if the first batch of the second start takes longer than ten seconds, or anonymous memory
exceeds its bound.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SECOND_START_S = 10.0
ANONYMOUS_MB = 1200
"""torch takes about 300 of it."""


def write_images(folder: Path, images: int, side: int) -> None:
    """Write PNGs of noise, which compresses as badly as a photo."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(10):
        (folder / f"class{number}").mkdir(parents=True, exist_ok=True)
    for number in range(images):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"class{number % 10}" / f"{number:07}.png", compress_level=1)


def start(folder: Path, cache: bool) -> dict[str, Any]:
    """Load the data and one batch, in a separate process."""
    began = time.perf_counter()
    from engine.data import load_data
    from engine.data.progress import progress_to
    from engine.experiment import Data
    from engine.training.batches import Batches

    said = 0

    def listener(what: str, done: int, total: int) -> None:
        nonlocal said
        said += 1

    data = Data.model_validate({"source": "images", "path": str(folder), "cache": cache})
    with progress_to(listener):
        dataset = load_data(data, seed=0)
    loaded_s = time.perf_counter() - began
    batches = Batches(dataset, "cpu", data)
    batch = next(iter(batches.training(64, 0, 1)))
    first_batch_s = time.perf_counter() - began
    batches.close()
    status = Path("/proc/self/status").read_text()
    memory = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.endswith("kB")}
    return {
        "loaded_s": round(loaded_s, 2),
        "first_batch_s": round(first_batch_s, 2),
        "peak_mb": memory["VmHWM"] // 1000,
        "anonymous_mb": memory["RssAnon"] // 1000,
        "samples": len(dataset.x),
        "placement": batches.placement.why,
        "shape": list(batch.inputs[0].shape),
        "progress_said": said,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--start", choices=["cache", "files"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.start:
        print(json.dumps(start(args.folder, args.start == "cache")))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary) / "images"
        if not folder.exists():
            write_images(folder, args.images, args.side)
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(temporary) / "cache")}
        found = {}
        for name, way in (("first", "cache"), ("again", "cache"), ("files", "files"), ("files again", "files")):
            command = [sys.executable, __file__, "--folder", str(folder), "--start", way]
            output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            found[name] = json.loads(output)
            print(f"{name}: {output.strip()}", flush=True)
    slow = found["again"]["first_batch_s"] > SECOND_START_S
    large = max(one["anonymous_mb"] for one in found.values()) > ANONYMOUS_MB
    return int(slow or large)


if __name__ == "__main__":
    sys.exit(main())
