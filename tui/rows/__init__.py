"""What lists, forms and panels say, as functions of data. No widgets and no torch."""
