"""What people do with money, messages and accounts of people: the actions and the lists of records."""
