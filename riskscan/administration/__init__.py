"""The operator's commands on accounts, API tokens and the audit log, run on the server's database."""
