"""The terminal: what it can do, what is written to it, and what is typed and pasted into it."""
