"""Files of rows and columns: read with the line that each row stands in, and their columns made numbers."""
