from __future__ import annotations

from test_kvasir_v1 import (
    NOT_IN_FILES,
    test_names_tell_no_patient,
    test_sizes_differ_in_a_nested_folder,
    test_the_green_box_stays_and_the_card_tells,
)

__all__ = [
    "NOT_IN_FILES",
    "test_names_tell_no_patient",
    "test_sizes_differ_in_a_nested_folder",
    "test_the_green_box_stays_and_the_card_tells",
]
