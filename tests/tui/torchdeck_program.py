"""torchdeck as a person types it, in a folder of its own: torchdeck_program.py FOLDER COMMAND…

With TORCHDECK_TEST_CRASH the training loop breaks at its hundredth step, as a mistake of its own would.
"""

import os
import sys
from typing import Any

from tui.cli import main


def break_the_loop() -> None:
    from engine.training.loop import Loop

    step = Loop.step

    def breaking(self: Loop, window: list[Any]) -> None:
        if self.position.step == 100:
            raise RuntimeError("the step broke")
        step(self, window)

    Loop.step = breaking  # type: ignore[method-assign]


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    del sys.argv[1]
    if os.environ.pop("TORCHDECK_TEST_CRASH", ""):
        break_the_loop()
    main()
