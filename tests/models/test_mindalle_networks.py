"""Properties of min-dalle's networks: what is looked at, and that a cache changes nothing."""

from dataclasses import replace

import pytest
import torch

from t2i.models import mindalle, renames, vqgan
from t2i.models.blocks.normformer import Attention, Part, Rows
from t2i.runtime.errors import UsageError

SIZES = mindalle.Settings(
    vocabulary=20,
    length=7,
    layers=2,
    heads=2,
    width=16,
    gate_width=12,
    image_vocabulary=14,
    begin=9,
    detoker=vqgan.Settings(side=3, codes=10, code_size=4, width=4, groups=2),
)
COUNT = 9
TOKENS = torch.tensor([[0, 3, 4, 2, 0], [0, 7, 2, 0, 0], [0, 3, 4, 5, 2]])


@pytest.fixture(scope="module")
def encoder() -> mindalle.Encoder:
    torch.manual_seed(0)
    return mindalle.Encoder(SIZES).eval()


@pytest.fixture(scope="module")
def decoder() -> mindalle.Decoder:
    torch.manual_seed(1)
    network = mindalle.Decoder(SIZES).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)  # else all tokens are nearly equally likely
    return network


def captions(encoder: mindalle.Encoder, decoder: mindalle.Decoder, count: int) -> mindalle.Caption:
    mask = encoder.mask(TOKENS[:count])
    return decoder.caption(encoder(TOKENS[:count], mask), mask)


def pictures(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 10, (count, COUNT), generator=torch.Generator().manual_seed(0))


def by_hand(layers: int, width: int, inside: int, vocabulary: int, codes: int) -> tuple[int, int]:
    """Parameters of encoder and decoder, from the tables of the official code.

    Four projections an attention, three a gated unit, none with biases; each norm has two vectors.
    """
    attention, gated = 4 * width**2, 3 * width * inside
    norms, gated_norms = 2 * 2 * width, 2 * width + 2 * inside
    ends = 2 * 2 * width
    encoder = layers * (attention + norms + gated + gated_norms)
    decoder = layers * (2 * (attention + norms) + gated + gated_norms)
    read = (vocabulary + 64) * width
    told = (2 * (codes + 1) + 256) * width
    return encoder + read + ends, decoder + told + ends


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        (mindalle.MINI, by_hand(12, 1024, 2730, 50_264, 16_384)),
        (mindalle.MEGA, by_hand(24, 2048, 4096, 50_272, 16_415)),
    ],
)
def test_published_sizes_have_the_parameters_of_the_official_tables(
    sizes: mindalle.Settings, wanted: tuple[int, int]
) -> None:
    with torch.device("meta"):
        networks = mindalle.networks(sizes)
    found = [sum(weight.numel() for weight in each.parameters()) for each in networks.values()]
    assert tuple(found[:2]) == wanted
    assert sizes.detoker.image_px == 256


def test_published_weights_have_a_place_each() -> None:
    """Official names, with their shapes, as official code spells them."""
    with torch.device("meta"):
        networks = mindalle.networks(mindalle.MEGA)
    shapes = {
        "encoder": {
            "embed_positions.weight": (64, 2048),
            "layers.23.glu.ln1.weight": (4096,),
            "layers.0.pre_self_attn_layer_norm.bias": (2048,),
        },
        "decoder": {
            "embed_tokens.weight": (16_416, 2048),
            "lm_head.weight": (16_416, 2048),
            "layers.5.encoder_attn.out_proj.weight": (2048, 2048),
            "layers.5.glu.fc2.weight": (2048, 4096),
        },
        "detoker": {
            "embedding.weight": (16_384, 256),
            "post_quant_conv.weight": (256, 256, 1, 1),
            "decoder.conv_in.weight": (512, 256, 3, 3),
            "decoder.mid.attn_1.proj_out.weight": (512, 512, 1, 1),
            "decoder.up.4.attn.2.norm.weight": (512,),
            "decoder.up.3.block.0.nin_shortcut.weight": (256, 512, 1, 1),
            "decoder.up.1.upsample.conv.weight": (128, 128, 3, 3),
            "decoder.up.0.block.2.conv2.weight": (128, 128, 3, 3),
            "decoder.conv_out.weight": (3, 128, 3, 3),
        },
    }
    for prefix, wanted in shapes.items():
        own = networks[prefix].state_dict()
        for official, shape in wanted.items():
            name = renames.new_name(official, mindalle.RENAMES[prefix])
            assert name is not None, official
            assert own[name].shape == shape, official


@torch.no_grad()
def test_attention_over_parts_is_attention_over_the_whole() -> None:
    torch.manual_seed(0)
    attention = Attention(8, heads=2)
    hidden, seen = torch.randn(3, 4, 8), torch.randn(3, 5, 8)
    bias = torch.randn(5)
    key, value = attention.rows(seen)
    whole = attention(hidden, [Part(key, value, bias)])
    cut = [slice(2), slice(2, 5)]
    parts = [Part(key[:, :, each], value[:, :, each], bias[each]) for each in cut]
    torch.testing.assert_close(attention(hidden, parts), whole)
    query = attention.query(hidden).unflatten(2, (2, 4)).transpose(1, 2)
    shares = (query @ key.transpose(2, 3) / 2 + bias).softmax(dim=3)
    mixed = (shares @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(whole, mixed @ attention.merge.weight.T)


@torch.no_grad()
def test_what_follows_the_end_of_a_caption_is_not_read(encoder: mindalle.Encoder) -> None:
    mask = encoder.mask(TOKENS)
    assert mask.tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert encoder.mask(torch.tensor([[0, 3, 4]])).tolist() == [[1, 1, 1]], "cut before its end"
    read = encoder(TOKENS, mask)
    other = TOKENS.clone()
    other[1, 3:] = 11
    torch.testing.assert_close(encoder(other, encoder.mask(other))[1, :3], read[1, :3])
    alone = encoder(TOKENS[1:2, :3], mask[1:2, :3])
    torch.testing.assert_close(alone, read[1:2, :3])


@torch.no_grad()
def test_each_token_is_foretold_by_the_caption_and_those_before_it(
    encoder: mindalle.Encoder, decoder: mindalle.Decoder
) -> None:
    caption, codes = captions(encoder, decoder, 3), pictures()
    told = decoder(codes, caption)
    assert told.shape == (3, COUNT, 15)
    for place in (0, 4, COUNT - 1):
        changed = codes.clone()
        changed[:, place:] = (changed[:, place:] + 1) % 10
        again = decoder(changed, caption)
        torch.testing.assert_close(again[:, : place + 1], told[:, : place + 1])
        if place < COUNT - 1:
            assert not torch.allclose(again[:, place + 1], told[:, place + 1])
    turned = mindalle.Caption(*(each.roll(1, dims=0) for each in caption))
    assert not torch.allclose(decoder(codes, turned)[:, 0], told[:, 0])


@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_step_by_step_with_a_cache_all_logits_are_those_of_the_whole(
    encoder: mindalle.Encoder, decoder: mindalle.Decoder, batch: int
) -> None:
    caption, codes = captions(encoder, decoder, batch), pictures()[:batch]
    wanted = decoder(codes, caption)
    first, begun = decoder.begin(caption)
    torch.testing.assert_close(first, wanted[:, 0])
    shape = (COUNT, SIZES.layers, batch, SIZES.width)
    picture = Rows(torch.full(shape, 1e3), torch.full(shape, 1e3))  # is never looked at
    for place in range(COUNT - 1):
        logits, row = decoder.go_on(codes[:, place], torch.tensor([place]), caption, begun, picture)
        picture.key[place], picture.value[place] = row
        torch.testing.assert_close(logits, wanted[:, place + 1], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_picture_grows_sixteenfold_and_its_pixels_end_at_black_and_white() -> None:
    torch.manual_seed(0)
    detoker = vqgan.Detoker(SIZES.detoker).eval()
    detoker.last[-1].bias.copy_(torch.tensor([9.0, -9.0, 0.5]))
    drawn = detoker.draw(pictures(2).unflatten(1, (3, 3)))
    assert drawn.shape == (2, 3, 48, 48)
    assert (drawn[:, 0] == 1).all()
    assert (drawn[:, 1] == -1).all()
    assert drawn[:, 2].std() > 0


def test_the_gradient_reaches_every_weight(
    encoder: mindalle.Encoder, decoder: mindalle.Decoder
) -> None:
    detoker = vqgan.Detoker(SIZES.detoker)
    codes = pictures()
    told = decoder(codes, captions(encoder, decoder, 3))
    (told.std() + detoker(codes.unflatten(1, (3, 3))).std()).backward()
    for network in (encoder, decoder, detoker):
        for name, weight in network.named_parameters():
            if name.endswith("key.bias"):
                continue  # what all keys share changes no softmax
            assert weight.grad is not None, name
            assert weight.grad.any(), name


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(UsageError, match="16 channels cannot be shared by 3 heads") as caught:
        mindalle.Encoder(replace(SIZES, heads=3))
    assert caught.value.hint
