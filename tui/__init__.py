"""The deck: shows a run and steers it. It knows the engine's public names and never imports torch."""
