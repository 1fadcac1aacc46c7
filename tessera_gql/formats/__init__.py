"""Foreign documents in our words: pure readers that fetch nothing; bad input is a typed error, no guess."""
