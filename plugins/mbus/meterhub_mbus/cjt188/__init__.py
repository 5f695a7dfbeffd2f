"""CJ/T 188 of 2004 and 2018: household meters for water, heat and gas."""
