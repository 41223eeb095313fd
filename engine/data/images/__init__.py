"""Folders of image files: listed, looked at in one pass, and read as samples."""
