"""Series from files: values in the order of time, checked for gaps, cut into windows with what follows them."""
