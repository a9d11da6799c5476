"""Means over an epoch that some number of processes began and another ended."""

from types import SimpleNamespace

import pytest
import torch

from sightline.tasks.pretrain.methods.base import EpochMeans

LOSSES = torch.tensor([3.0, 1.0, 7.0, 2.0, 5.0, 6.0], dtype=torch.float64)


def means(processes: int) -> EpochMeans:
    return EpochMeans(("loss",), SimpleNamespace(world_size=processes, device="cpu"))  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [2, 4])
def test_an_epoch_begun_by_several_processes_and_ended_by_one_has_the_mean_of_its_batches(processes):
    several = [means(processes) for _ in range(processes)]
    for loss in LOSSES[:2]:
        for rank, part in enumerate(several):
            part.add(loss + rank - (processes - 1) / 2)  # each has its own images, the batch's mean is `loss`
    one = means(1)
    one.sums += torch.stack([part.sums for part in several]).sum(0)  # as a checkpoint keeps it
    for loss in LOSSES[2:]:
        one.add(loss)
    assert one.values() == pytest.approx({"loss": float(LOSSES.mean())})


def test_before_the_first_batch_there_is_no_division_by_none():
    assert means(1).values() == {"loss": 0.0}
