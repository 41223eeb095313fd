"""The deck as `torchdeck train FILE` opens it, in a folder of its own."""

import os
import sys

from tui.cli import main

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.argv[1:] = sys.argv[2:]
    main()
