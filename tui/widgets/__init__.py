"""The widgets that the deck's screens consist of."""
