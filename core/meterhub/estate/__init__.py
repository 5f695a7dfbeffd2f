"""What people do with the meters of a site: find, add, move, read, command and examine them."""
