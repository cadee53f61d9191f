"""The processes: the supervisor, its workers, and the HTTP server in each."""
