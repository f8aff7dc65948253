"""What an operator does with accounts, from the machine that has the secret."""
