"""The losses against the official AttnGAN code."""

import pytest
import torch
from golden import Case, cases

from t2i.train.losses import divergence, matching

CASES = {case.name: case for case in cases("attngan")}
SHARPNESS = matching.Sharpness(regions=4.0, words=5.0, pairs=10.0)


def tensors(case: Case) -> dict[str, torch.Tensor]:
    return {
        name: torch.as_tensor(value)
        for name, value in case.inputs().items()
        if value.dtype.kind in "fib"
    }


def test_attention_of_words_over_regions() -> None:
    case = CASES["func_attention"]
    inputs = tensors(case)
    mask = torch.ones(2, 5, dtype=torch.bool)
    context, attention = matching.attend(inputs["query"], inputs["context"], mask, 4.0)
    own = torch.arange(2)
    case.check(
        {
            "weighted_context": context[own, own].numpy(),
            "attention": attention[own, own].numpy(),
        }
    )


@pytest.mark.parametrize("name", ["damsm_noclass", "damsm_distinct", "damsm_sameclass"])
def test_damsm_losses_and_their_gradients(name: str) -> None:
    case = CASES[name]
    inputs = tensors(case)
    leaves = {
        key: inputs[key].requires_grad_()
        for key in ("img_features", "cnn_code", "words_emb", "sent_emb")
    }
    lengths = inputs["cap_lens"]
    views = matching.Views(
        regions=leaves["img_features"],
        code=leaves["cnn_code"],
        words=leaves["words_emb"],
        sentence=leaves["sent_emb"],
        mask=torch.arange(7) < lengths[:, None],
    )
    terms = matching.losses(views, inputs.get("class_ids"), SHARPNESS)
    gradients = torch.autograd.grad(sum(terms.values()), list(leaves.values()))
    outputs = dict(zip(("w_loss0", "w_loss1", "s_loss0", "s_loss1"), terms.values(), strict=True))
    outputs |= {f"grad:{key}": value for key, value in zip(leaves, gradients, strict=True)}
    case.check({key: value.detach().numpy() for key, value in outputs.items()})


def test_divergence_from_the_standard_normal() -> None:
    case = CASES["kl_loss"]
    inputs = tensors(case)
    case.check({"kl": divergence.to_standard_normal(inputs["mu"], inputs["logvar"]).numpy()})
