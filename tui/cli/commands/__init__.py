"""The groups of commands: each module holds one, a `typer.Typer` named `commands`, and is found by its file."""
