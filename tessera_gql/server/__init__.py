"""Transport: HTTP, WebSocket and server-sent events, limits, uploads and broadcast of subscriptions."""
