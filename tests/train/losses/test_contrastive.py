"""The contrastive loss: official numbers, mathematics, and several processes that act as one."""

import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from golden import cases
from torch import Tensor

from t2i.train.losses import contrastive

PROCESSES = 2


@pytest.mark.parametrize("name", ["vit_tiny", "resnet_tiny"])
def test_the_loss_is_the_official_one(name: str) -> None:
    (case,) = (case for case in cases("clip") if case.name == name)
    terms = contrastive.losses(torch.from_numpy(case.expected["logits_per_image"]))
    case.check({"symmetric_cross_entropy": sum(terms.values(), torch.zeros(())).numpy()})


def test_equal_logits_cost_the_logarithm_of_the_batch() -> None:
    terms = contrastive.losses(torch.full((8, 8), 3.0))
    for term in terms.values():
        assert math.isclose(term.item(), math.log(8) / 2, rel_tol=1e-6)
    assert sum(contrastive.losses(100 * torch.eye(8)).values()) < 1e-6


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Features of pictures and captions, and a weight that both pass."""
    dice = torch.Generator().manual_seed(0)
    pictures, captions, weight = (torch.randn(6, 6, generator=dice) for _ in range(3))
    return pictures, captions, weight.requires_grad_()


def loss_of(pictures: Tensor, captions: Tensor, weight: Tensor) -> Tensor:
    seen, read = (contrastive.gathered(each @ weight) for each in (pictures, captions))
    return sum(contrastive.losses(seen @ read.T).values(), torch.zeros(()))


def work(rank: int, folder: str) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES
    )
    try:
        pictures, captions, weight = batch()
        own = slice(3 * rank, 3 * rank + 3)
        loss = loss_of(pictures[own], captions[own], weight)
        loss.backward()
        assert weight.grad is not None
        dist.all_reduce(weight.grad)
        torch.save((loss.detach(), weight.grad / PROCESSES), f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
def test_processes_that_share_a_batch_learn_what_one_process_learns(tmp_path: Path) -> None:
    loss = loss_of(*(alone := batch()))
    loss.backward()
    mp.spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    for rank in range(PROCESSES):
        shared_loss, gradient = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(shared_loss, loss.detach())
        torch.testing.assert_close(gradient, alone[2].grad)
