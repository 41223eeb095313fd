"""`python -m tui.cli` is `torchdeck`."""

from tui.cli import main

if __name__ == "__main__":
    main()
