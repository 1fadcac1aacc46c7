"""Walk two schemas side by side and collect their differences and the routes to them."""
