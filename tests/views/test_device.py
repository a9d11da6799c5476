import numpy as np
import pytest
import torch

from sightline.views import MultiCrop
from sightline.views.device import DeviceMultiCrop, Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_to_tensor_is_the_formula_and_channels_last():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 9, 3), dtype=np.uint8)
    found = Preprocessing(None, MEAN, STD).to_tensor(images)
    assert found.shape == (6, 3, 8, 9)
    assert found.is_contiguous(memory_format=torch.channels_last)
    expected = (images.reshape(6, 8, 9, 3) / 255 - MEAN) / STD
    np.testing.assert_allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_to_tensor_takes_tensors_and_other_types():
    found = Preprocessing(None, MEAN, STD).to_tensor(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), dtype=torch.bfloat16)
    assert found.dtype == torch.bfloat16
    assert found.shape == (2, 3, 4, 4)


@pytest.mark.parametrize(("source", "sizes"), [(84, (224, 96)), (64, (64, 32)), (150, (32, 16)), (21, (40, 12))])
def test_the_same_keys_give_the_same_views_as_on_the_cpu(source: int, sizes: tuple[int, int]):
    rng = np.random.default_rng(source)
    images = [rng.integers(0, 256, (source + i, source + 2 * i, 3), dtype=np.uint8) for i in range(6)]
    options = {"global_size": sizes[0], "local_size": sizes[1], "local_crops": 4}
    keys = np.stack([np.full(6, 5), np.full(6, 2), np.arange(6)], 1)
    cpu, device = MultiCrop(**options)(images, keys), DeviceMultiCrop(**options)(images, keys)
    for ours, theirs in zip(cpu, device, strict=True):
        difference = np.abs(ours.astype(int) - theirs.numpy().astype(int))
        solarized = difference > 100  # a value on solarize's threshold may fall on either side
        assert solarized.mean() < 1e-4
        assert difference[~solarized].max() <= 1
        assert difference.mean() < 0.01


def test_a_tensor_of_images_is_as_good_as_a_list():
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    views = DeviceMultiCrop(global_size=32, local_size=16)
    for one, other in zip(views(list(images), [1, 2, 3]), views(torch.from_numpy(images), [1, 2, 3]), strict=True):
        assert torch.equal(one, other)
