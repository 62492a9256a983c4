"""Real-time anti-fraud: one transaction, one decision, whichever way it arrives and whatever dies."""
