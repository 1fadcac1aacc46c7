"""Subprocess pool that executes large uploads, which would block the event loop of the server process.

A process is started on demand, executes one request at a time, and has limits for memory and time. If it dies, its
transaction is rolled back and the caller gets a retryable error. Its main program is `tessera_gql.upload_process`.
"""
