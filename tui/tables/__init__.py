"""Text in columns, fitted to a width."""
