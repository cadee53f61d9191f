"""Documents of public repositories on GitHub, of which only the labels are here.

public.jsonl has a line for each document: `repository`, `commit` and `path` say where it is (without a
repository, in the folder of documents that others wrote, see read_outside() in data.py), `kind` what it is,
`first` and `last` which stretch of it was read, and `labels` which of its sentences are risks, by the letters
of data.py, or debatable, `?`. Sentences are named by their digest.
`python -m training.public DATA` fetches the documents into DATA/public, 20 MB.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).parent / "public.jsonl"
GITHUB = "https://github.com"


class Labelled(NamedTuple):
    """A line of public.jsonl."""

    repository: str
    commit: str
    path: str
    kind: str
    first: str
    last: str
    labels: dict[str, str]

    @property
    def source(self) -> str:
        """The repository, or the name of the folder."""
        return self.repository or Path(self.path).parent.name

    @property
    def is_legal(self) -> bool:
        return self.kind in ("contract", "terms", "terms of service")

    def locate(self, data: Path) -> Path:
        """Return where the document is in the folder of documents that others wrote."""
        return data / "public" / self.repository / self.path if self.repository else data / self.path


def read_list(path: Path = LIST) -> list[Labelled]:
    """Read public.jsonl, or another list of its form."""
    return [Labelled(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def digest(text: str) -> str:
    """Return the name of a sentence: 12 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cut_stretch(texts: list[str], document: Labelled) -> range:
    """Return the numbers of the sentences that were read.

    ValueError if the first, the last or a labelled one reads otherwise today.
    """
    names = [digest(text) for text in texts]
    places = {
        name: [i for i, its in enumerate(names) if its == name] for name in (document.first, document.last)
    }
    stretches = [
        range(first, last + 1)
        for first in places[document.first]
        for last in places[document.last]
        if first <= last
    ]
    # a sentence may stand there twice
    whole = [one for one in stretches if document.labels.keys() <= {names[i] for i in one}]
    return min(whole, key=len)


# git is run with names from public.jsonl alone
def fetch(documents: list[Labelled], data: Path, source: str = GITHUB) -> Iterator[str]:
    """Fetch documents that are not there yet; yield what could not be had."""
    missing = [one for one in documents if one.repository and not one.locate(data).exists()]
    for (repository, commit), group in groupby(missing, key=lambda one: one[:2]):
        with tempfile.TemporaryDirectory() as folder:
            git = ["git", "-C", folder]
            subprocess.run([*git, "init", "--quiet", "--bare"], check=True)  # noqa: S603 - see above
            command = [*git, "fetch", "--quiet", "--depth", "1", f"{source}/{repository}", commit]
            if subprocess.run(command, check=False).returncode:  # noqa: S603
                yield f"{repository} at {commit}"
                continue
            for one in group:
                command = [*git, "show", f"{commit}:{one.path}"]
                shown = subprocess.run(command, check=False, capture_output=True)  # noqa: S603
                if shown.returncode:
                    yield f"{repository}/{one.path} at {commit}"
                    continue
                path = one.locate(data)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(shown.stdout)


def main() -> None:
    """Fetch all documents of public.jsonl."""
    if len(sys.argv) != 2:
        raise SystemExit("Name the folder of documents that others wrote.")
    for missing in fetch(read_list(), Path(sys.argv[1])):
        print(f"not to be had: {missing}")


if __name__ == "__main__":
    main()
