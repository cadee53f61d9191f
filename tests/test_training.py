"""The labels of public documents, and how the documents are fetched."""

import subprocess
from pathlib import Path

import pytest

from training.data import LETTERS
from training.public import Labelled, cut_stretch, digest, fetch, read_list

TEXTS = ["One.", "Two.", "The pump leaks.", "Two.", "Five."]


def label(first: str, last: str, *labelled: str, commit: str = "") -> Labelled:
    labels = dict.fromkeys(map(digest, labelled), "T")
    return Labelled("owner/name", commit, "docs/a.md", "minutes", digest(first), digest(last), labels)


def test_labels_of_public_documents_are_well_formed() -> None:
    documents = read_list()
    assert len(documents) > 800
    assert len({one[:3] for one in documents}) == len(documents)
    for one in documents:
        assert all(label == "?" or (label and set(label) <= set(LETTERS)) for label in one.labels.values())


def test_a_stretch_is_found_though_a_sentence_stands_there_twice() -> None:
    assert cut_stretch(TEXTS, label("One.", "Two.")) == range(2)
    assert cut_stretch(TEXTS, label("One.", "Two.", "The pump leaks.")) == range(4)
    assert cut_stretch(TEXTS, label("Two.", "Five.", "The pump leaks.")) == range(1, 5)


def test_a_document_that_reads_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        cut_stretch(TEXTS, label("One.", "Five.", "The pump does not leak."))


def test_documents_are_fetched_at_their_commit(tmp_path: Path) -> None:
    repository = tmp_path / "owner" / "name"
    (repository / "docs").mkdir(parents=True)
    (repository / "docs" / "a.md").write_text("The pump leaks.\n")
    git = ["git", "-C", str(repository), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "A"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    there = label("One.", "Two.", commit=commit.stdout.strip())
    elsewhere = there._replace(path="docs/b.md")
    data = tmp_path / "data"
    missing = list(fetch([there, elsewhere], data, tmp_path.as_uri()))
    assert missing == [f"owner/name/docs/b.md at {there.commit}"]
    assert there.locate(data).read_text() == "The pump leaks.\n"
    assert list(fetch([there], data, "file:///nowhere")) == []
