"""What the commands print: plain text for people, in columns."""
