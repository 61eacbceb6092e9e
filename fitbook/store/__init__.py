"""Where run data lives: one contract, several databases behind it."""
