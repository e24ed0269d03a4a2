"""Which networks are lowered: one per family of torchvision and timm at a small input, and MLPerf Tiny's four."""

from __future__ import annotations

import fnmatch
import itertools
from typing import Any

import torch
from pruning_bench.zoos import ZOOS as PRUNED
from pruning_bench.zoos import Zoo, timm_package
from reference_networks import REFERENCES, Reference
from torch import Tensor, nn

# The smallest network of every family that torchvision lists, smallest first.
_TORCHVISION = (
    *("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small", "mobilenet_v2", "regnet_x_400mf"),
    *("regnet_y_400mf", "efficientnet_b0", "googlenet", "densenet121", "resnet18", "resnext50_32x4d", "resnet50"),
    *("efficientnet_v2_s", "inception_v3", "convnext_tiny", "swin_t", "swin_v2_t", "maxvit_t", "alexnet"),
    *("wide_resnet50_2", "vit_b_32", "vgg11", "vgg11_bn"),
)

# One network per family; timm's own miniature networks, a family in a few layers each, come last.
_TIMM = (
    *("ghostnetv2_100", "mobileone_s0", "repvit_m0_9", "starnet_s1", "efficientvit_b0", "rexnet_100", "nf_regnet_b0"),
    *("vit_tiny_patch16_224", "xcit_nano_12_p16_224", "convmixer_768_32", "cspresnet50", "edgenext_xx_small"),
    *("mobilevit_xxs", "mobilevitv2_050", "convnext_atto", "levit_128s", "pit_ti_224", "fastvit_t8", "pvt_v2_b0"),
    *("lcnet_035", "tinynet_e", "mobilenetv3_small_050", "mobilenetv2_035", "semnasnet_050", "mobilenetv4_conv_small"),
    *("ghostnetv3_050", "efficientvit_m0", "shvit_s1", "hardcorenas_a", "mixnet_s", "fbnetc_100", "efficientnet_lite0"),
    *("regnety_002", "regnetz_005", "inception_next_atto", "mambaout_femto", "efficientformerv2_s0", "swiftformer_xs"),
    *("deit_tiny_distilled_patch16_224", "convit_tiny", "tiny_vit_5m_224", "crossvit_tiny_240", "gmlp_ti16_224"),
    *("coat_lite_tiny", "cait_xxs24_224", "resmlp_12_224", "mixer_s32_224", "poolformer_s12", "visformer_tiny"),
    *("dla46_c", "ese_vovnet19b_slim", "cs3darknet_focus_s", "repvgg_a0", "gernet_s", "hgnetv2_b0", "resnet10t"),
    *("resnetv2_18", "skresnet18", "resnest14d", "res2net50_14w_8s", "hrnet_w18_small", "selecsls42b", "dpn48b"),
    *("eca_nfnet_l0", "halonet26t", "botnet26t_256", "lambda_resnet26t"),
    *("test_byobnet", "test_convnext", "test_convnext2", "test_convnext3", "test_efficientnet", "test_efficientnet_gn"),
    *("test_efficientnet_ln", "test_efficientnet_evos", "test_mambaout", "test_nfnet", "test_resnet", "test_vit"),
    *("test_vit2", "test_vit3", "test_vit4"),
)

# Inputs that leave every layer something to work on; the first pattern that fits counts.
_TIMM_SIZES: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("test_vit*", 64, {"img_size": 64}),
    ("vit_tiny_*", 64, {"img_size": 64}),
    ("deit_*", 64, {"img_size": 64}),
    ("convit_*", 64, {"img_size": 64}),
    ("pit_*", 64, {"img_size": 64}),
    ("cait_*", 64, {"img_size": 64}),
    ("xcit_*", 64, {"img_size": 64}),
    ("coat_*", 64, {"img_size": 64}),
    ("mixer_*", 64, {"img_size": 64}),
    ("gmlp_*", 64, {"img_size": 64}),
    ("resmlp_*", 64, {"img_size": 64}),
    ("visformer_*", 64, {"img_size": 64}),
    ("pvt_*", 64, {}),
    ("levit_*", 224, {}),
    ("efficientformerv2_*", 224, {}),
    ("efficientvit_m0", 224, {}),
    ("tiny_vit_*", 224, {}),
    ("crossvit_*", 240, {}),
    ("halonet26t", 256, {}),
    ("botnet26t_256", 256, {}),
    ("lambda_resnet26t", 256, {}),
    ("convmixer_*", 56, {}),
    ("*", 64, {}),
)


def _timm_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    size, settings = next((s, k) for pattern, s, k in _TIMM_SIZES if fnmatch.fnmatchcase(name, pattern))
    return (3, size, size), settings


def _timm_network(name: str, settings: dict[str, Any]) -> nn.Module:
    network: nn.Module = timm_package().create_model(name, **settings)
    return network


class Autoencoder(nn.Module):
    """MLPerf Tiny's anomaly detector: 640 spectral features through a neck of eight and back."""

    def __init__(self) -> None:
        super().__init__()
        widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(128, 640))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, 640]``."""
        restored: Tensor = self.layers(x)
        return restored


_REFERENCES = {reference.name: reference for reference in REFERENCES}
_AUTOENCODER = "autoencoder"


def _tiny_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    return ((640,) if name == _AUTOENCODER else _REFERENCES[name].input_shape), {}


def _tiny_network(name: str, _settings: dict[str, Any]) -> nn.Module:
    if name == _AUTOENCODER:
        return Autoencoder()
    found: Reference = _REFERENCES[name]
    return found.make()


class Determinant(nn.Module):
    """A network with an operator that no artifact has."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, C]``."""
        determinants: Tensor = torch.linalg.det(x)
        return determinants


def _built_in(name: str, settings: dict[str, Any]) -> nn.Module:
    return Determinant() if name == "refused" else PRUNED["built-in"].factory(name, settings)


ZOOS = {
    zoo.name: zoo
    for zoo in (
        Zoo(
            "tiny",
            (),
            lambda: [*_REFERENCES, _AUTOENCODER],
            _tiny_shape,
            _tiny_network,
            ("ds-cnn", "resnet8", "autoencoder"),
            "nothing",
        ),
        Zoo(
            "torchvision",
            ("torchvision",),
            lambda: list(_TORCHVISION),
            PRUNED["torchvision"].shape,
            PRUNED["torchvision"].factory,
            ("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small"),
            "larger networks of the same families, quantised ones, detection, segmentation and video",
        ),
        Zoo(
            "timm",
            ("timm",),
            lambda: list(_TIMM),
            _timm_shape,
            _timm_network,
            tuple(name for name in _TIMM if name.startswith("test_")),
            "larger networks of the same families, and families of large networks only",
        ),
        Zoo(
            "built-in",
            (),
            lambda: ["plain", "refused"],
            lambda _: ((3, 16, 16), {}),
            _built_in,
            ("plain", "refused"),
            "nothing",
        ),
    )
}
"""Every zoo by name; ``built-in`` needs no package and is for the tests."""
