"""The text that commands print: plain text for people, in columns, and JSON for programs."""
