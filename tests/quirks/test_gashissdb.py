from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied

from medimg.errors import SourceError


@pytest.mark.quirk(1)
def test_an_archive_that_was_not_unpacked_is_an_error_that_says_so(mini: Miniature, tmp_path: Path) -> None:
    sealed = mini.bytes("^GasHisSDB.rar$")
    assert sealed.startswith(b"Rar!") and not mini.unread
    assert len(mini.rows("80px/Abnormal")) == 2
    with pytest.raises(SourceError, match=r"GasHisSDB\.rar is an archive that must be unpacked"):
        copied("gashissdb", {"GasHisSDB.rar": sealed}, tmp_path)
