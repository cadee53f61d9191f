#!/usr/bin/env python3
"""Run RiskScan from a checkout: `python run.py` serves, `python run.py --help` lists the commands."""

import sys
from pathlib import Path

from riskscan.__main__ import main

if __name__ == "__main__":
    sys.exit(main(Path("data")))
