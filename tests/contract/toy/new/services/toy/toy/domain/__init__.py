"""What a greeting is."""
