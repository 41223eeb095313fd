"""The stages of a check: from what is known to what is known and the mistakes found, one file a stage."""
