"""What is done to a whole mesh and judged from outside: `bankday` is the main job, `faults` breaks it, `checks` holds the verdicts."""
