"""Edit a document: change its text, and list the fields that can be changed."""
