#!/usr/bin/env python3
"""Run RiskScan: `run.py` serves, `run.py migrate` readies the database, `run.py check` shows the settings."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from riskscan import __version__, logs
from riskscan.settings import Settings, SettingsError, environment

ROOT = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description="RiskScan finds the risks in project documents.")
    parser.add_argument("command", nargs="?", default="serve", choices=("serve", "migrate", "check"))
    parser.add_argument("--version", action="version", version=__version__)
    command = parser.parse_args().command
    os.umask(0o077)  # the database holds what only its owner should read
    try:
        environ = environment(ROOT)
        data_dir = Path(environ.get("DATA_DIR") or ROOT / "data")
        settings = Settings.from_env(environ, data_dir)
    except SettingsError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 2
    logs.set_up(settings.log_level, settings.log_format)
    if command == "check":
        for name, value in [*settings.described(), ("DATA_DIR", data_dir)]:
            print(f"{name}={value}")
        return 0
    if command == "migrate":
        from riskscan.migrate import DatabaseAway, migrate

        try:
            print(f"{migrate(settings.database_url)} migrations applied")
        except DatabaseAway as exc:
            print(f"riskscan: the database cannot be reached: {exc}", file=sys.stderr)
            return 1
        return 0
    from riskscan import server

    try:
        return server.run(settings)
    except OSError as exc:
        print(f"riskscan: cannot listen on HOST={settings.host} PORT={settings.port}: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
