"""Worker processes that execute large requests, because reading one would hold up other clients.

Each is started when it is needed, takes one request at a time, and may not have more memory or time than it is given.
When one dies its transaction is rolled back, and the caller gets an error that it may retry.
"""
