"""Events in, one module for each kind: transactions (decided), corrections (labels and lifecycle), credit transfers (republished)."""
