"""The deck's screens: one file a screen, its stylesheet next to it."""
