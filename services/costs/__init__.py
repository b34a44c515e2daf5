"""What the money buys and where it goes next: forecasts, budgets, savings, who spends most, what would save."""
