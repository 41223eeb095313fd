"""Experiments that are ready to run, one TOML file each. The first comment of a file is its line in `torchdeck presets`."""
