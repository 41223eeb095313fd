"""Questions and information over a screen: one file a dialog, its stylesheet next to it."""
