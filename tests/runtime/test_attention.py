"""Attention pictures: bright where a region looked at the word, dark elsewhere."""

import numpy as np
import pytest

from t2i.runtime.attention import (
    DARKEST,
    GAP_PX,
    LABEL_PX,
    LEAST_PX,
    MOST_COLUMNS,
    attention_sheet,
)

PX = 128


def white() -> np.ndarray:
    return np.full((PX, PX, 3), 255, np.uint8)


def panel(sheet: np.ndarray, column: int, row: int = 0) -> np.ndarray:
    left = GAP_PX + column * (PX + GAP_PX)
    top = GAP_PX + row * (PX + LABEL_PX)
    return sheet[top : top + PX, left : left + PX]


def test_a_word_shows_only_the_regions_that_looked_at_it() -> None:
    weights = np.zeros((2, 4, 4), np.float32)
    weights[0, :2] = 1.0  # the upper half looked at the first word
    weights[1, 2:] = 0.5  # the lower half at the second, half as much
    sheet = attention_sheet(white(), {"attention_1": weights}, ["red", "bird"])
    picture, red, bird = (panel(sheet, column) for column in range(3))
    dark = round(255 * DARKEST)
    assert (picture == 255).all()
    assert (red[:40] == 255).all()
    assert (red[-40:] == dark).all()
    assert (bird[:40] == dark).all()
    assert (bird[-40:] == round(255 * (DARKEST + (1 - DARKEST) / 2))).all()


def test_a_word_that_nothing_looked_at_stays_dark() -> None:
    nothing = np.zeros((1, 4, 4), np.float32)
    sheet = attention_sheet(white(), {"attention_1": nothing}, ["bird"])
    assert (panel(sheet, 1) == round(255 * DARKEST)).all()


def test_each_panel_has_its_word_written_under_it() -> None:
    weights = np.ones((2, 4, 4), np.float32)
    sheet = attention_sheet(white(), {"attention_1": weights}, ["red", "i" * 500])
    for column in range(3):
        left = GAP_PX + column * (PX + GAP_PX)
        label = sheet[GAP_PX + PX : GAP_PX + PX + LABEL_PX, left : left + PX]
        assert (label < 128).any()
    assert (sheet[:, -GAP_PX:] == 255).all(), "a long word is cut, not run over"


def test_padding_is_no_word_and_every_stage_is_a_block() -> None:
    stages = {f"attention_{n}": np.ones((5, 4 * n, 4 * n), np.float32) for n in (1, 2)}
    sheet = attention_sheet(white(), stages, ["red", "bird"])
    height, width, _ = sheet.shape
    assert width == 3 * (PX + GAP_PX) + GAP_PX
    assert height == 2 * (PX + LABEL_PX) + GAP_PX


@pytest.mark.parametrize(("words", "columns", "rows"), [(5, 6, 1), (6, 4, 2), (18, 5, 4)])
def test_many_words_are_wrapped_into_rows_of_like_length(
    words: int, columns: int, rows: int
) -> None:
    weights = np.ones((words, 4, 4), np.float32)
    sheet = attention_sheet(white(), {"attention_1": weights}, ["bird"] * words)
    assert columns <= MOST_COLUMNS
    assert sheet.shape[1] == columns * (PX + GAP_PX) + GAP_PX
    assert sheet.shape[0] == rows * (PX + LABEL_PX) + GAP_PX


@pytest.mark.parametrize("px", [4, 16, 100])
def test_a_small_picture_is_enlarged_until_a_word_fits_under_it(px: int) -> None:
    picture = np.zeros((px, px, 3), np.uint8)
    sheet = attention_sheet(picture, {"attention_1": np.ones((1, 4, 4), np.float32)}, ["bird"])
    assert sheet.shape[0] >= LEAST_PX
