"""Walk two schemas side by side and draft the changes between them."""
