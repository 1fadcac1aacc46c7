"""JSON values, types and numbers, regular languages of texts, and physical types of columns."""
