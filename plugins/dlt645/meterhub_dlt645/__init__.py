"""Plugin dlt645 of MeterHub."""
