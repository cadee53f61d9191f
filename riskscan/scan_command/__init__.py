"""`riskscan scan`: finds the risks in documents on this machine, without a server, a database or settings."""
