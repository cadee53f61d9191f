"""The process that splits and scores text: one request a line on standard input, one answer a line.

Requests are [operation, argument] in JSON; it ends when standard input does.
"""

import json
import sys
from typing import Any

from riskscan.ai_service import findings, sentences


def answer(operation: str, argument: Any) -> Any:
    """Run one operation: `split` a text, `score` units, `finish` what was found, `check` what was named."""
    if operation == "split":
        return list(sentences.units([("text", [argument])]))
    if operation == "score":
        return findings.score([sentences.Unit(*unit) for unit in argument])
    if operation == "check":
        return findings.distinct(findings.checked(*item) for item in argument)
    found, expected, count = argument
    return findings.finish([findings.Finding(*item) for item in found], expected, count)


def main() -> None:
    """Serve until the parent is gone."""
    for line in sys.stdin.buffer:
        operation, argument = json.loads(line)
        sys.stdout.buffer.write(json.dumps(answer(operation, argument)).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
