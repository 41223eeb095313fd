"""What acts for the screens: documents, plans, runs, and the engine behind them."""
