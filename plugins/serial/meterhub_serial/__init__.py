"""Plugin serial of MeterHub."""
