"""The processes: a supervisor, the workers, and the HTTP server in each."""
