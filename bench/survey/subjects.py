"""What a row is about: a system of the catalog, whole or without a part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from t2i.models.catalog import CATALOG
from t2i.runtime.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Ablation:
    """How a system is trained without a part that its paper claims something for."""

    told: str
    """The part, in prose."""
    settings: tuple[str, ...] = ()
    """What `--set` is told."""
    of_needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same for what is trained before."""


ABLATIONS: dict[str, dict[str, Ablation]] = {
    "attngan": {"damsm": Ablation("DAMSM's loss", ("matching=0",))},
    "dmgan": {"gates": Ablation("its gates", ("writing_gate=false", "response_gate=false"))},
    "controlgan": {"word-critic": Ablation("critics of words", ("word_critic=none",))},
    "cigan": {
        "latent-critic": Ablation(
            "its critic of latents, L_adv^w", of_needs={"inversion": ("latent=0",)}
        )
    },
}
"""By system, and by what `--without` calls the part."""


@dataclass(frozen=True)
class Subject:
    system: str
    without: str = ""
    """The part that is left out."""

    def __post_init__(self) -> None:
        """
        Raises:
            UsageError: there is no such system, or it is never trained without that part.
        """
        if self.system not in CATALOG:
            hint = did_you_mean(self.system, CATALOG)
            raise UsageError(f"there is no system {self.system!r}", hint=hint)
        known = ABLATIONS.get(self.system, {})
        if self.without and self.without not in known:
            raise UsageError(
                f"{self.system} has no row without {self.without!r}",
                hint=did_you_mean(self.without, known)
                if known
                else f"those that have one: {', '.join(ABLATIONS)}",
            )

    @property
    def name(self) -> str:
        """Stem of its files."""
        return f"{self.system}+no-{self.without}" if self.without else self.system

    @property
    def command(self) -> str:
        without = f" --without {self.without}" if self.without else ""
        return f"python -m bench.survey row {self.system}{without}"

    @cached_property
    def ablation(self) -> Ablation:
        """How it is trained; as it is, where nothing is left out."""
        return ABLATIONS[self.system][self.without] if self.without else Ablation("nothing")
