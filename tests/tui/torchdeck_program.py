"""torchdeck as a person types it, in a folder of its own: torchdeck_program.py FOLDER COMMAND…"""

import os
import sys

from tui.cli import main

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    del sys.argv[1]
    main()
