"""The client of a RiskScan server: its API, and the account that is stored on this machine."""
