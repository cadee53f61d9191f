"""The output of a process, read while it runs."""

from __future__ import annotations

import re
import subprocess
import threading
import time

APPEARS_WITHIN_SECONDS = 60


class ProcessLog:
    """A thread reads the process's standard output, so that the process never blocks on a full pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._grew = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def wait_for(self, pattern: str) -> str:
        """Wait until the output matches; return the first group, or the whole match."""
        deadline = time.monotonic() + APPEARS_WITHIN_SECONDS
        with self._grew:
            while not (match := re.search(pattern, self.text)):
                assert self._reader.is_alive(), self.text
                assert self._grew.wait(deadline - time.monotonic()), self.text
        return match[1] if match.groups() else match[0]

    def close(self) -> None:
        """Read to the end, which is when the process and its children have exited."""
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._grew:
                self._lines.append(line)
                self._grew.notify_all()
        with self._grew:
            self._grew.notify_all()
