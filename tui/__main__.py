"""`python -m tui` is `torchdeck`, for an environment whose scripts are not on the path."""

from tui.cli import main

if __name__ == "__main__":
    main()
