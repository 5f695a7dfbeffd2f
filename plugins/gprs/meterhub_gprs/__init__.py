"""Plugin gprs of MeterHub."""
