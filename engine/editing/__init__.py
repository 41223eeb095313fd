"""Edit a document: its text, change by change, and the form that shows what can be changed."""
