"""What is remembered: tables, transactions and the questions asked of them. The only layer that writes SQL."""
