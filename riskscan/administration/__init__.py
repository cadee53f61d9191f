"""The operator's commands on accounts and API tokens, run on the server's database."""
