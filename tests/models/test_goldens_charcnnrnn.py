"""The networks of char-CNN-RNN against a port of the official code."""

import numpy as np
import pytest
import torch
from golden import Case, cases
from networks import check, fill
from torch import Tensor

from t2i.models import charcnnrnn, renames
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer, character_tokenizer, vocabulary_size

CASES = {case.name: case for case in cases("charcnnrnn")}
VOCABULARY = vocabulary_size(character_tokenizer())


def settings_of(case: Case) -> charcnnrnn.TextSettings:
    return charcnnrnn.TextSettings(
        VOCABULARY,
        recurrence="gru" if "gru" in case.name else "relu",
        recurrent_size=case.settings["rnn_dim"],
    )


def encoder_of(case: Case) -> charcnnrnn.TextEncoder:
    encoder = charcnnrnn.TextEncoder(settings_of(case))
    fill(encoder, case, charcnnrnn.RENAMES["text"])
    return encoder


def read(captions: list[str]) -> Tensor:
    """Tokens of captions, as both training and drawing make them."""
    text = Text("tokenizer.json", "", charcnnrnn.LENGTH, "keep")
    return torch.from_numpy(Tokenizer.from_json(character_tokenizer(), text).encode(captions))


def lit(columns: Tensor) -> Tensor:
    """Which column is lit at each place, -1 where none is: (B, 70, 201) -> (B, 201)."""
    some = columns.sum(dim=1)
    assert set(some.unique().tolist()) <= {0.0, 1.0}
    return torch.where(some > 0, columns.argmax(dim=1), -1)


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_text_encoder(name: str) -> None:
    case = CASES[name]
    encoder, tokens = encoder_of(case), read(np.atleast_1d(case.inputs()["caption"]).tolist())
    columns = encoder.columns(tokens)
    scanned = encoder.scan(columns).transpose(1, 2)
    assert scanned.shape[1] == case.settings["steps"]
    outputs = {
        "columns": lit(columns),
        "pool1": encoder.scan[:3](columns),
        "pool2": encoder.scan[:6](columns),
        "conv3": encoder.scan[:8](columns),
        "recurrent_mean": encoder.recurrent(scanned).mean(dim=1),
        "embedding": encoder(tokens),
    }
    check(case, outputs)


@pytest.mark.parametrize("name", CASES)
def test_the_paper_sizes_have_the_official_parameters(name: str) -> None:
    with torch.device("meta"):
        encoder = charcnnrnn.TextEncoder(settings_of(CASES[name]))
    ours = {key: list(value.shape) for key, value in encoder.state_dict().items()}
    official = CASES[name].spec["state"]
    table = charcnnrnn.RENAMES["text"]
    assert ours == {renames.new_name(key, table): shape for key, shape in official.items()}
    count = {"cvpr_rnn": 1_814_144, "icml_flowers_rnn": 2_994_560, "icml_birds_gru": 4_045_184}
    assert sum(each.numel() for each in encoder.parameters()) == count[name]
