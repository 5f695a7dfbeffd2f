"""Money: amounts, orders, payments, the ledger, and the delivery of what was paid to the meter."""
