"""The one training loop. It knows players and updates, and no paper."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn

from t2i.runtime import terminal
from t2i.runtime.errors import TrainingError
from t2i.train.batches import batches, parts
from t2i.train.checkpoints import Checkpoints, State
from t2i.train.data.batch import Batch
from t2i.train.folder import RunFolder
from t2i.train.log import Line, Log
from t2i.train.players import Players
from t2i.train.precision import autocast, check_precision, emulated, repeatable
from t2i.train.recipe import Drawing, Recipe, Update
from t2i.train.samples import save_samples
from t2i.train.settings import LoopSettings, check_settings

if TYPE_CHECKING:
    from t2i.train.data.dataset import Dataset

LOG_EVERY = 10
"""Steps between two lines of the log."""
SAMPLES = 16
"""Pictures of a sample grid."""


class Loop:
    """One training of one recipe in one run folder."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: "Dataset",
        settings: LoopSettings,
        device: torch.device,
        run: RunFolder,
    ) -> None:
        check_settings(settings)
        check_precision(settings.precision, device)
        self.recipe, self.dataset, self.settings = recipe, dataset, settings
        self.device, self.run = device, run
        self.players = Players(recipe.players, settings.precision, device)
        self.checkpoints = Checkpoints(run.path / "checkpoints", settings.keep)
        self.step = self.saved = 0
        self.finished = False
        self.seconds = self.processor_seconds = 0.0
        if settings.compile:
            for player in recipe.players.values():
                compile_parts(player.networks)

    def resume(self) -> None:
        """Go back to the newest whole checkpoint; to the start where there is none."""
        state = self.checkpoints.newest()
        if state is None:
            return
        try:
            self.players.load(state.tensors, state.scales)
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(
                f"the checkpoints of {self.run.path} belong to other networks: {error}",
                hint="resume with the settings of the run, or start another one",
            ) from None
        set_random_state(state.tensors, self.device)
        self.step = self.saved = state.step
        self.seconds = state.seconds
        self.processor_seconds = state.processor_seconds
        self.finished = state.finished and state.step >= self.settings.steps

    def train(self) -> None:
        """Train to the last step.

        Raises:
            TrainingError: a loss is not finite; the last checkpoint stays.
            KeyboardInterrupt: somebody asked to stop; a checkpoint was written.
        """
        self.log = Log(self.run.path / "log.jsonl", after=self.step)
        steps = self.settings.steps
        with (
            terminal.progress("training", steps) as bar,
            stop_signals() as asked,
            repeatable(self.device),
            emulated(self.settings.precision, self.device),
        ):
            bar.advance(self.step)
            before, worked = time.perf_counter(), time.process_time()
            for batch in batches(self.dataset, self.settings, self.step, steps):
                terms = self.play(batch.to(self.device))
                self.step += 1
                spent = time.perf_counter() - before
                self.seconds += spent
                self.processor_seconds += time.process_time() - worked
                speed = self.settings.batch_size / spent
                bar.advance(note=note(terms, speed))
                self.keep(terms, speed)
                if asked.is_set():
                    if self.saved != self.step:
                        self.checkpoint()
                    raise KeyboardInterrupt
                before, worked = time.perf_counter(), time.process_time()
        self.finish()

    def play(self, batch: Batch) -> dict[str, float]:
        """One step: each player's turn, in the recipe's order. Returns the value of each term.

        The parts of a batch go through the recipe side by side, so that each player moves once.
        """
        self.players.begin(self.step)
        count = self.settings.accumulate
        whole = replace(batch, step=self.step)
        first, *others = [self.recipe.step(part) for part in parts(whole, count)]
        terms: dict[str, float] = {}
        while update := self.ask(first):
            player = update.player
            self.players.learn(update, share=1 / count)
            for other in others:
                update = self.ask(other)
                assert update, "a step yields the same players for every batch"
                self.players.learn(update, share=1 / count)
            terms |= self.players.move(player, self.step)
        return terms

    def ask(self, step: Iterator[Update]) -> Update | None:
        with autocast(self.settings.precision, self.device):
            return next(step, None)

    def keep(self, terms: dict[str, float], speed: float) -> None:
        """Log, draw samples, and write a checkpoint, each when it is time."""
        settings, last = self.settings, self.step == self.settings.steps
        if self.step % LOG_EVERY == 0 or self.step == 1 or last:
            spent = self.seconds, self.processor_seconds
            self.log.write(Line(self.step, terms, self.players.rates, speed, *spent))
        if settings.sample_every and (self.step % settings.sample_every == 0 or last):
            self.sample()
        if self.step % settings.checkpoint_every == 0 and not last:  # the last comes from finish
            self.checkpoint()

    def sample(self) -> None:
        """Draw the fixed captions; the noise is the same each time, and not the training's."""
        if not isinstance(self.recipe, Drawing):
            return
        batch = replace(self.fixed, step=self.step)
        with own_draws(self.settings.seed, self.device), self.players.showing() as averaged:
            pictures = self.recipe.sample(batch.to(self.device), averaged)
        save_samples(pictures, batch.captions, self.run.path / "samples" / f"{self.step:08}.png")

    @cached_property
    def fixed(self) -> Batch:
        return self.dataset.fixed(SAMPLES)

    def finish(self) -> None:
        """Write the last weights."""
        if self.finished:  # before this process began
            self.publish()
            return
        self.finished = True
        self.checkpoint()

    def checkpoint(self) -> None:
        """Write all that resuming needs, then the weights to export."""
        tensors = self.players.tensors() | random_state(self.device)
        self.checkpoints.write(
            State(
                step=self.step,
                finished=self.finished,
                seconds=self.seconds,
                processor_seconds=self.processor_seconds,
                scales=self.players.scales(),
                tensors=tensors,
            )
        )
        self.saved = self.step
        self.publish()

    def publish(self) -> None:
        """Write the weights to export, and how far they have come."""
        self.run.save_weights(self.recipe.exported(self.players.averaged))
        self.run.note(
            steps=self.step,
            images_seen=self.step * self.settings.batch_size,
            finished=self.finished,
        )


def compile_parts(networks: nn.Module) -> None:
    """Let modules compile themselves at their first call; calls within a call belong to it."""
    for module in networks.modules():
        module.compile()


def note(terms: dict[str, float], pictures_per_s: float) -> str:
    """The progress line's: each player's summed losses, and the speed."""
    sums: dict[str, float] = {}
    for term, value in terms.items():
        player = term.partition(".")[0]
        sums[player] = sums.get(player, 0.0) + value
    losses = " · ".join(f"{player} {value:.3g}" for player, value in sums.items())
    return f"{losses} · {pictures_per_s:.3g} pictures/s"


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """States of the generators that recipes draw from."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["random.cpu"])
    if device.type == "cuda" and "random.cuda" in states:
        torch.cuda.set_rng_state(states["random.cuda"], device)


@contextmanager
def own_draws(seed: int, device: torch.device) -> Iterator[None]:
    """Draws in here begin at `seed` and leave those outside as they would be without."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Tells that ctrl-C or a polite kill came, so that the step can be finished first.

    The second ctrl-C is not waited for.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
