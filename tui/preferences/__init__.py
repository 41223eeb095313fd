"""What a person has chosen: settings, keys, colours, and what the deck remembers."""
