"""Experiments that are ready to run, one TOML file each; the first comment is the line in `torchdeck presets`."""
