"""RiskScan: finds the risks in project documents."""

__version__ = "0.1.0"
