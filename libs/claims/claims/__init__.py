"""Checks statements against the passages that they cite: numbers, units, periods, polarity."""
