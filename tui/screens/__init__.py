"""The deck's screens: one file a screen, its stylesheet beside it."""
