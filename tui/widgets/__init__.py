"""What the deck's screens are put together from."""
