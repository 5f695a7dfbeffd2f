"""Room of the core."""
