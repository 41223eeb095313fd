"""Texts with labels: read from files and folders, cut into tokens, and numbered by what their training part holds."""
