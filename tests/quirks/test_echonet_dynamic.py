from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from miniatures import Miniature, copied, pixels, written

from medimg.errors import FormatError

FIRST, LARGE, ONE, NONE = (f"0X1002E8FBACD0847{n}" for n in "789A")


@pytest.mark.quirk(1)
def test_one_table_names_videos_with_suffix_and_the_other_without(mini: Miniature) -> None:
    assert f"\n{FIRST},60.5," in mini.text("^FileList.csv") and ".avi" not in mini.text("^FileList.csv")
    assert f"\n{FIRST}.avi,60,20,55,80,1\n" in mini.text("^VolumeTracings.csv")
    assert mini.row(FIRST)["label"]["mask"] is not None


@pytest.mark.quirk(2)
def test_the_first_line_is_the_long_axis_and_no_part_of_the_outline(mini: Miniature, tmp_path: Path) -> None:
    tracings = mini.text("^VolumeTracings.csv")
    assert tracings.splitlines()[0] == "FileName,X1,Y1,X2,Y2,Frame"
    frame = pixels(mini.row(FIRST)["label"]["mask"])[:, :, 1]  # columns, rows
    inside = np.argwhere(frame == 1)
    assert frame[60, 45] == frame[52, 45] == 1 and frame[47, 45] == frame[72, 45] == 0
    assert inside[:, 1].min() >= 29 and inside[:, 1].max() <= 79, "the long axis begins at row 20"
    files = written("echonet_dynamic")
    path = "EchoNet-Dynamic/VolumeTracings.csv"
    with pytest.raises(FormatError, match="X1"):
        copied("echonet_dynamic", files | {path: files[path].replace(b"X1", b"Left")}, tmp_path)


@pytest.mark.quirk(3)
def test_videos_with_fewer_than_two_tracings_are_kept_and_say_what_is_not_annotated(mini: Miniature) -> None:
    def annotated(name: str) -> list[int]:
        mask = pixels(mini.row(name)["label"]["mask"])
        return [frame for frame in range(mask.shape[2]) if not (mask[..., frame] == 255).all()]

    assert mini.text("^VolumeTracings.csv").count(f"{ONE}.avi") == 5
    assert annotated(FIRST) == [1, 4]
    assert annotated(ONE) == [1]
    assert mini.row(NONE)["label"]["mask"] is None and mini.row(NONE)["label"]["assessed"] == []


@pytest.mark.quirk(4)
def test_the_size_is_the_video_s_not_the_table_s(mini: Miniature) -> None:
    row = mini.row(LARGE)
    assert (row["meta"]["FrameHeight"], row["meta"]["FrameWidth"]) == ("768", "1024")
    assert row["shape"] == [6, 112, 112]


@pytest.mark.quirk(5)
def test_videos_are_gray_avi_and_keep_all_but_their_texts(mini: Miniature) -> None:
    data = mini.bytes(f"^Videos/{FIRST}.avi")
    assert data[:4] == b"RIFF" and data[8:12] == b"AVI "
    kept = bytes(mini.row(FIRST)["image"]["bytes"])
    assert len(kept) == len(data) and kept[kept.index(b"movi") :] == data[data.index(b"movi") :]
    assert b"Lavf" in data and b"Lavf" not in kept
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert frame.shape == (112, 112, 3) and np.ptp(frame, axis=2).max() <= 2 and np.ptp(frame) > 100
