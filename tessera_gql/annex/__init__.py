"""The annex: processes beside the server that take large requests, because reading one would hold up everybody else.

Each is started when it is needed, takes one request at a time, and may not have more memory or time than it is given.
It may die at any moment: its transaction dies with it, and the caller is told that it may try again.
"""
