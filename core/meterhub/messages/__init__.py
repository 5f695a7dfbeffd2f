"""Messages to people outside: sent once, told what became of them, every one kept with its history."""
