"""DM-GAN: each later stage writes the words into a memory, as the picture needs them, and reads it.

Source: Zhu et al., CVPR 2019 (arXiv 1904.01310). Official code: MinfengZhu/DM-GAN. Where the two
differ, the code is followed: a rectifier after each of the four convolutions around the memory.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from t2i.models import attngan
from t2i.models.blocks.convolution import Residual, up
from t2i.models.blocks.spectral import SpectralConv2d


@dataclass(frozen=True)
class Settings(attngan.Settings):
    """Sizes of all networks; the defaults are the paper's for CUB."""

    generator_width: int = 64
    """Channels of every stage's hidden map (N_r); a memory slot has twice as many (N_m)."""
    critic_width: int = 32
    """Channels of a critic's first layer (DF_DIM)."""
    writing_gate: bool = True
    """A gate decides word by word how much of it is written; without, words are written as they
    are (section 3.1)."""
    response_gate: bool = True
    """A gate decides place by place how much of what was read is used; without, both are set side
    by side (section 3.1)."""


class GatedWriting(nn.Module):
    """Write a slot a word: of the word, and of the picture as a whole, as a gate decides.

    Shapes:
        hidden (B, C, H, W), words (B, E, T) -> memory (B, M, T)

    Source: section 3.2; the official code lets no gradient pass to the picture.
    """

    def __init__(self, hidden_size: int, text_size: int, memory_size: int) -> None:
        super().__init__()
        self.gate_word = nn.Linear(text_size, 1, bias=False)
        self.gate_picture = nn.Linear(hidden_size, 1, bias=False)
        self.word = _rectified(text_size, memory_size)
        self.picture = _rectified(hidden_size, memory_size)

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        picture = hidden.mean(dim=(2, 3)).detach()
        wanted = self.gate_word(words.transpose(1, 2)).transpose(1, 2)  # (B, 1, T)
        gate = torch.sigmoid(wanted + self.gate_picture(picture).unsqueeze(2))
        return self.word(words) * gate + self.picture(picture.unsqueeze(2)) * (1 - gate)


class PlainWriting(nn.Module):
    """Write a slot a word, whatever the picture shows. Shapes as in `GatedWriting`.

    Source: section 3.1.
    """

    def __init__(self, text_size: int, memory_size: int) -> None:
        super().__init__()
        self.word = _rectified(text_size, memory_size)

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        return self.word(words)


class Memory(nn.Module):
    """Find, for each place of a hidden map, the slots that answer it, and read their mixture.

    Shapes:
        hidden (B, C, H, W), memory (B, M, T), mask bool that broadcasts to (B, H·W, T), True = a
        word -> read (B, C, H, W), addressing (B, T, H, W), whose shares sum to 1 over T. A slot of
        padding is not zero, as its word is: the mask alone keeps it out.

    Source: section 3.1. Official name: `Memory`, with `key` and `value` before it.
    """

    def __init__(self, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        self.key = _rectified(memory_size, hidden_size)
        self.value = _rectified(memory_size, hidden_size)

    def forward(self, hidden: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        logits = hidden.flatten(2).transpose(1, 2) @ self.key(memory)  # (B, H·W, T)
        shares = logits.masked_fill(~mask, float("-inf")).softmax(dim=2).transpose(1, 2)
        size = hidden.shape[2:]
        return (self.value(memory) @ shares).unflatten(2, size), shares.unflatten(2, size)


class GatedResponse(nn.Module):
    """Mix a hidden map with what it read, place by place; (B, C, H, W) twice -> (B, 2C, H, W).

    Source: section 3.3; the official code sets the outcome beside itself.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(2 * hidden_size, 1, 1)

    def forward(self, hidden: Tensor, read: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(torch.cat([hidden, read], dim=1)))
        mixed = hidden * (1 - gate) + gate * read
        return torch.cat([mixed, mixed], dim=1)


class PlainResponse(nn.Module):
    """Set what was read and the hidden map side by side. Shapes as in `GatedResponse`.

    Source: section 3.1.
    """

    def forward(self, hidden: Tensor, read: Tensor) -> Tensor:
        return torch.cat([read, hidden], dim=1)


class RefiningStage(nn.Module):
    """Write a memory, read it, and draw the hidden map (B, C, H, W) at twice its size.

    `mask` (bool, True = a word) broadcasts to (B, H·W, T), as in `Memory`.

    Source: official name `NEXT_STAGE_G`, whose condition and lengths are passed in but unused.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, text_size = settings.generator_width, settings.text_size
        self.write = (
            GatedWriting(width, text_size, 2 * width)
            if settings.writing_gate
            else PlainWriting(text_size, 2 * width)
        )
        self.memory = Memory(width, 2 * width)
        self.respond = GatedResponse(width) if settings.response_gate else PlainResponse()
        self.residuals = nn.Sequential(*(Residual(2 * width) for _ in range(settings.residuals)))
        self.grow = up(2 * width, width)

    def forward(self, hidden: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        read, addressing = self.memory(hidden, self.write(hidden, words), mask)
        return self.grow(self.residuals(self.respond(hidden, read))), addressing


class Generator(attngan.Generator):
    """Draw captions. Shapes as in AttnGAN's; `attentions` are the memories' key addressing.

    Source: official name `G_NET`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.refine = nn.ModuleList(RefiningStage(settings) for _ in self.refine)


class Critic(attngan.Critic):
    """AttnGAN's, with spectral norms and biases where that has batch norms; its first layer too.

    Source: official names `D_NET64`, `D_NET128`, `D_NET256`.
    """

    def __init__(self, width: int, px: int, text_size: int, unconditional: bool = True) -> None:
        super().__init__(width, px, text_size, unconditional)
        self.down = nn.Sequential(*map(_spectral, self.down))
        self.reduce = nn.Sequential(*map(_spectral, self.reduce))
        self.beside.join = _spectral(self.beside.join)


def _rectified(inputs: int, outputs: int) -> nn.Sequential:
    """Each of T places by itself: (B, inputs, T) -> (B, outputs, T)."""
    return nn.Sequential(nn.Conv1d(inputs, outputs, 1), nn.ReLU())


def _spectral(block: nn.Module) -> nn.Sequential:
    """A block of a critic, normalised by its weights instead of its batches."""
    assert isinstance(block, nn.Sequential)
    conv = block[0]
    assert isinstance(conv, nn.Conv2d)
    sizes = (conv.kernel_size[0], conv.stride[0], int(conv.padding[0]))
    return nn.Sequential(
        SpectralConv2d(conv.in_channels, conv.out_channels, *sizes), nn.LeakyReLU(0.2)
    )


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder comes from DAMSM."""
    return {**attngan.networks(settings), "generator": Generator(settings)}


def critics(settings: Settings) -> list[attngan.Critic]:
    """A critic for each picture the generator draws, smallest first."""
    return [
        Critic(settings.critic_width, px, settings.text_size, not settings.single_head)
        for px in settings.drawn_px
    ]


def _stage(official: str, ours: str) -> dict[str, str]:
    """The memory of one stage."""
    return {
        f"{official}.A": f"{ours}.write.gate_word",
        f"{official}.B": f"{ours}.write.gate_picture",
        f"{official}.M_w": f"{ours}.write.word",
        f"{official}.M_r": f"{ours}.write.picture",
        f"{official}.key": f"{ours}.memory.key",
        f"{official}.value": f"{ours}.memory.value",
        f"{official}.response_gate.0": f"{ours}.respond.gate",
    }


def _wrapped(official: str, ours: str) -> dict[str, str]:
    """A convolution inside `SpectralNorm`, which keeps it as `module`."""
    names = {"bias": "bias", "weight_bar": "weight", "weight_u": "left", "weight_v": "right"}
    return {f"{official}.module.{old}": f"{ours}.{new}" for old, new in names.items()}


RENAMES = {
    "text": attngan.RENAMES["text"],
    "generator": {
        **attngan.RENAMES["generator"],
        **_stage("h_net2", "refine.0"),
        **_stage("h_net3", "refine.1"),
    },
    "critic": {
        **_wrapped("img_code_s16.0", "down.0.0"),
        **_wrapped("img_code_s16.2", "down.1.0"),
        **_wrapped("img_code_s16.4", "down.2.0"),
        **_wrapped("img_code_s16.6", "down.3.0"),
        **_wrapped("img_code_s32.0", "down.4.0"),
        **_wrapped("img_code_s64.0", "down.5.0"),
        **_wrapped("img_code_s32_1.0", "reduce.0.0"),
        **_wrapped("img_code_s64_1.0", "reduce.0.0"),
        **_wrapped("img_code_s64_2.0", "reduce.1.0"),
        **_wrapped("COND_DNET.jointConv.0", "beside.join.0"),
        "UNCOND_DNET.outlogits.0": "alone.logit",
        "COND_DNET.outlogits.0": "beside.head.logit",
    },
}
"""Names in the official text encoder, generator and discriminators -> ours."""
