"""Networks of the literature, written as documents, have the numbers of parameters that are published."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import AUTO, experiment, images, traced

from engine.model import build


def conv(channels: int, kernel: int = 3, **more: Any) -> dict[str, Any]:
    return {"type": "Conv2d", "out_channels": channels, "kernel_size": kernel, **more}


def sequential(*layers: Any) -> dict[str, Any]:
    return {"type": "Sequential", "layers": list(layers)}


def dense(features: int, *after: Any) -> list[Any]:
    return [{"type": "Linear", "out_features": features}, *after]


POOL = {"type": "MaxPool2d", "kernel_size": 2}
DROPOUT = {"type": "Dropout", "p": 0.5}


def lenet5() -> list[Any]:
    """LeNet-5 as it is usually counted: every feature map of the second convolution reads all six of the first.

    LeCun et al., 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf
    """
    average = {"type": "AvgPool2d", "kernel_size": 2}
    features = sequential(conv(6, 5), "Tanh", average, conv(16, 5), "Tanh", average, conv(120, 5), "Tanh")
    return [features, "Flatten", *dense(84, "Tanh"), AUTO]


def vgg11() -> list[Any]:
    """Configuration A of Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556"""
    blocks = [(64, 1), (128, 1), (256, 2), (512, 2), (512, 2)]
    features = [
        sequential({"type": "Repeat", "times": times, "layers": [conv(channels, padding=1), "ReLU"]}, POOL)
        for channels, times in blocks
    ]
    classifier = [*dense(4096, "ReLU", DROPOUT), *dense(4096, "ReLU", DROPOUT), AUTO]
    return [*features, {"type": "AdaptiveAvgPool2d", "output_size": 7}, "Flatten", sequential(*classifier)]


def resnet18() -> list[Any]:
    """The 18-layer network of He et al., 2016, https://arxiv.org/abs/1512.03385, its shortcuts written out.

    A shortcut that is made, where none is given, is a convolution with a bias and without BatchNorm2d.
    """

    def block(channels: int, stride: int, *, projects: bool) -> list[Any]:
        first = conv(channels, padding=1, stride=stride, bias=False)
        body = [first, "BatchNorm2d", "ReLU", conv(channels, padding=1, bias=False), "BatchNorm2d"]
        shortcut = {"shortcut": [conv(channels, 1, stride=stride, bias=False), "BatchNorm2d"]} if projects else {}
        return [{"type": "Residual", "layers": body, **shortcut}, "ReLU"]

    stem = [conv(64, 7, stride=2, padding=3, bias=False), "BatchNorm2d", "ReLU"]
    pool = {"type": "MaxPool2d", "kernel_size": 3, "stride": 2, "padding": 1}
    stages = [
        sequential(*block(channels, stride, projects=stride > 1), *block(channels, 1, projects=False))
        for channels, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]
    ]
    return [*stem, pool, *stages, {"type": "AdaptiveAvgPool2d", "output_size": 1}, "Flatten", AUTO]


def weights_and_biases(*layers: tuple[int, int, int]) -> int:
    """The closed form: inputs · outputs · kernel² weights and as many biases as outputs, for each layer."""
    return sum(inputs * outputs * kernel**2 + outputs for inputs, outputs, kernel in layers)


def test_lenet_5_has_61_706_parameters():
    layers = lenet5()
    total = sum(layer.parameters for layer in traced(images(1, 32, 32), *layers))
    convolutions = [(1, 6, 5), (6, 16, 5), (16, 120, 5)]
    assert total == weights_and_biases(*convolutions, (120, 84, 1), (84, 10, 1)) == 61_706
    network = build(experiment(*layers), images(1, 32, 32))
    assert sum(p.numel() for p in network.parameters()) == total
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 10)


def test_vgg_11_has_132_863_336_parameters():
    description = images(3, 224, 224, classes=1000)
    results = traced(description, *vgg11())
    assert [str(m) for result in results for m in result.mistakes] == []
    widths = [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    convolutions = [(inputs, outputs, 3) for inputs, outputs in widths]
    classifier = [(512 * 7 * 7, 4096, 1), (4096, 4096, 1), (4096, 1000, 1)]
    total = sum(layer.parameters for layer in results)
    assert total == weights_and_biases(*convolutions, *classifier) == 132_863_336
    # 7.6 billion multiply-and-adds are what is published, of which each is two operations.
    assert sum(layer.flops for layer in results) / 2 == pytest.approx(7.61e9, rel=0.01)


def test_resnet_18_has_11_689_512_parameters():
    description = images(3, 224, 224, classes=1000)
    results = traced(description, *resnet18())
    assert sum(layer.parameters for layer in results) == 11_689_512
    assert sum(layer.flops for layer in results) / 2 == pytest.approx(1.81e9, rel=0.01)
    assert results[-1].signal.shape == (1000,)


def test_a_made_shortcut_has_the_parameters_of_a_convolution_of_one_by_one():
    block = {"type": "Residual", "layers": [conv(8, padding=1, stride=2), "ReLU", conv(8, padding=1)]}
    (result, *_) = traced(images(3, 8, 8), block, "Flatten", AUTO)
    assert result.parameters == weights_and_biases((3, 8, 3), (8, 8, 3), (3, 8, 1))
