"""The networks of MirrorGAN and STREAM against the official code."""

from collections.abc import Callable

import numpy as np
import torch
from golden import Case, cases
from networks import check, fill, tensors
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from t2i.models import mirrorgan, stream
from t2i.models.blocks.attention import WordAttention
from t2i.train.losses import redescription

CASES = {case.name: case for case in cases("mirrorgan")}
OfficialMask = Callable[[Tensor, int], Tensor]


def generator_of(case: Case) -> mirrorgan.Generator:
    given = case.settings
    settings = mirrorgan.Settings(
        vocabulary=1,
        text_size=given["EMBEDDING_DIM"],
        condition_size=given["CONDITION_DIM"],
        noise_size=given["Z_DIM"],
        generator_width=given["GF_DIM"],
        residuals=given["R_NUM"],
        stages=given["BRANCH_NUM"],
    )
    generator = mirrorgan.Generator(settings)
    fill(generator, case, mirrorgan.RENAMES["generator"])
    return generator


@torch.no_grad()
def test_generator_stage_by_stage(official_mask: OfficialMask) -> None:
    case = CASES["generator_masked"]
    generator, inputs = generator_of(case), tensors(case)
    outputs: dict[str, Tensor] = {}
    condition, outputs["mu"], outputs["logvar"] = generator.condition(
        inputs["sent_emb"], inputs["eps"]
    )
    hidden = generator.first(condition, inputs["z_code"])
    outputs["image64"] = generator.heads[0](hidden)
    for number, refine in enumerate(generator.refine, start=1):
        mask = official_mask(~inputs["mask"], hidden[0, 0].numel())
        hidden, attention = refine(hidden, condition, inputs["word_embs"], mask)
        image = generator.heads[number](hidden)
        outputs |= {f"attention{number}": attention, f"image{image.shape[-1]}": image}
    check(case, outputs)


@torch.no_grad()
def test_generator_in_one_call() -> None:
    case = CASES["generator_single"]
    inputs = tensors(case)
    names = ("z_code", "eps", "sent_emb", "word_embs")
    drawn = generator_of(case)(*(inputs[name] for name in names), ~inputs["mask"])
    outputs = ("image64", "image128", "image256", "attention1", "attention2", "mu", "logvar")
    values = (*drawn.images, *drawn.attentions, drawn.mean, drawn.log_variance)
    check(case, dict(zip(outputs, values, strict=True)))


@torch.no_grad()
def test_attention_to_words_and_sentence(official_mask: OfficialMask) -> None:
    case = CASES["attention"]
    words, sentence = WordAttention(8, 32), mirrorgan.SentenceAttention(8, 100)
    table = {
        "conv_context": "words.project",
        "conv_sentence_vis": "sentence.compare",
        "linear": "sentence.project",
    }
    fill(nn.ModuleDict({"words": words, "sentence": sentence}), case, table)
    inputs = tensors(case)
    seen = words(inputs["input"], inputs["context"], official_mask(~inputs["mask"], 5 * 5))
    weighed = sentence(inputs["input"], inputs["sentence"])
    projected = sentence.project(inputs["sentence"])[:, :, None, None]
    outputs = {
        "weighted_context": seen.context,
        "word_attention": seen.attention,
        "weighted_sentence": weighed,
        "sentence_attention": weighed / projected,
    }
    check(case, outputs)


@torch.no_grad()
def test_captioner_and_its_loss() -> None:
    case = CASES["stream_rnn"]
    captioner = stream.Captioner(stream.Settings(case.settings["vocab_size"]))
    fill(captioner, case, stream.RENAMES["caption"])
    inputs = tensors(case)
    picture, tokens, lengths = inputs["features"], inputs["captions"], inputs["cap_lens"]
    logits = captioner(picture, tokens)

    word, state, said = torch.zeros(3, dtype=torch.int64), torch.zeros(3, 2, 512), []
    for _ in range(case.settings["max_seq_length"]):
        # Word 0 never comes up here; to our step it would mean the beginning.
        following, state = captioner.step(picture, word, state)
        word = following.argmax(dim=1)
        said.append(word)

    def packed(padded: Tensor) -> Tensor:
        return pack_padded_sequence(padded, lengths, batch_first=True).data

    outputs = {
        "logits": packed(logits[:, :-1]),
        "targets": packed(tokens),
        "caption_loss": redescription.cross_entropy(logits, tokens, ends=False),
        "sample": torch.stack(said, dim=1),
    }
    check(case, outputs)


@torch.no_grad()
def test_picture_reader() -> None:
    """Made-up weights let the numbers grow with each of its fifty blocks: they are compared by the
    largest."""
    case = CASES["stream_cnn"]
    reader = stream.PictureReader(stream.Settings(vocabulary=1))
    fill(reader, case, stream.RENAMES["image"])
    seen: dict[str, Tensor] = {}
    reader.get_submodule("trunk.layer1").register_forward_hook(
        lambda module, given, found: seen.update(layer1=found)
    )
    seen["features"] = reader(tensors(case)["images"])
    assert seen.keys() == case.expected.keys()
    for name, wanted in case.expected.items():
        strides = case.spec["outputs"][name].get("stride", [1] * wanted.ndim)
        found = seen[name][tuple(slice(None, None, each) for each in strides)].numpy()
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max(), name
