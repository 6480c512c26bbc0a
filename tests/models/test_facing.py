"""Which way a drawn bird faces."""

import pytest
import torch

from t2i.models.blocks.facing import Facing, turn
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer, character_tokenizer

LEFT, RIGHT = 4, 7


@pytest.mark.parametrize(
    ("tokens", "facing"),
    [
        ([1, LEFT, 2, 0], -1.0),
        ([1, RIGHT, 0, 0], 1.0),
        ([1, 2, 3, 0], 0.0),
        ([0, 0, 0, 0], 0.0),
        ([RIGHT, LEFT, 1, 0], 1.0),
        ([LEFT, LEFT, 1, RIGHT], 1.0),
    ],
)
def test_only_left_and_no_right_asks_for_left(tokens: list[int], facing: float) -> None:
    asked = Facing(LEFT, RIGHT)(torch.tensor([tokens, tokens]))
    assert asked.dtype is torch.float32
    assert asked.tolist() == [facing, facing]


@pytest.mark.parametrize(
    ("caption", "facing"),
    [
        ("a red bird facing left", -1.0),
        ("Left-facing bird", -1.0),
        ("looking to the right, a bird", 1.0),
        ("a bright red bird", 0.0),
        ("a cleft beak", 0.0),
        ("right and left", 1.0),
        ("lef", 0.0),
        ("l", 0.0),
    ],
)
def test_a_spelled_word_is_found_where_a_word_begins(caption: str, facing: float) -> None:
    speller = Tokenizer.from_json(character_tokenizer(), Text("t", "", 201, "keep"))
    left, right = (speller.read(f" {word}").tokens for word in ("left", "right"))
    tokens = torch.from_numpy(speller.encode([caption, "a bird"]))
    assert Facing(left, right)(tokens).tolist() == [facing, 0.0]


@pytest.mark.parametrize(
    ("facing", "noise", "mirrored"),
    [(-1, -1, True), (-1, 1, True), (1, 1, False), (1, -1, False), (0, 1, True), (0, -1, False)],
)
def test_the_noise_decides_only_where_the_caption_does_not(
    facing: float, noise: float, mirrored: bool
) -> None:
    pictures = torch.randn(1, 3, 4, 6)
    draw = torch.tensor([[-noise, noise]], dtype=torch.float32)
    turned = turn(pictures, torch.tensor([facing], dtype=torch.float32), draw, dimension=1)
    assert torch.equal(turned, pictures.flip(3) if mirrored else pictures)


def test_each_picture_turns_by_itself_and_twice_is_not_at_all() -> None:
    pictures, noise = torch.randn(3, 5, 4, 4), torch.zeros(3, 2)
    facing = torch.tensor([-1.0, 0.0, 1.0])
    turned = turn(pictures, facing, noise, 0)
    assert torch.equal(turned[0], pictures[0].flip(2))
    assert torch.equal(turned[1:], pictures[1:])
    assert torch.equal(turn(turned, facing, noise, 0), pictures)
