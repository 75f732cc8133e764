from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from miniatures import Miniature, copied

from medimg.errors import PickleError

NOT_IN_FILES = {
    3: "counts of a release are no fact of one copy; a note on the card names the releases and their counts"
}


@pytest.mark.quirk(1)
def test_pickles_are_read_without_running_them(mini: Miniature, tmp_path: Path) -> None:
    entries = pickle.loads(mini.bytes(r"/train_qa\.pkl$"))
    assert entries[0]["question"] == "what are stained here ? "
    assert mini.row("train_0000")["label"]["texts"][0]["question"] == "what are stained here ?"
    hostile = b"cpathlib\nPath\n(S'" + str(tmp_path / "ran").encode() + b"'\ntR."
    picture = mini.bytes(r"train_0000\.jpg$")
    files = {"pvqa/qas/train/train_qa.pkl": hostile, "pvqa/images/train/train_0000.jpg": picture}
    with pytest.raises(PickleError, match="no plain data"):
        copied("pathvqa", files, tmp_path / "hostile")


@pytest.mark.quirk(2)
def test_answers_become_text_and_pairs_come_once(mini: Miniature) -> None:
    entries = pickle.loads(mini.bytes(r"/val_qa\.pkl$"))
    assert [entry["answer"] for entry in entries] == ["the nuclei", "yes", " yes", 3]
    texts = [row["label"]["texts"] for row in mini.rows("val_000[01]")]
    assert [text["answer"] for text in texts[0]] == ["the nuclei", "yes"]
    assert texts[1][0]["answer"] == "3"
    assert mini.row("val_0001")["label"]["source"][0]["answer"] == 3
