"""Collections of networks the bench runs on: names, how to build one, and the input it is given."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pruning_bench.timm_families import FAMILIES, LARGER, family_shape
from pruning_bench.values import fill, settle, without_initialisation


@dataclass(frozen=True)
class Zoo:
    """A collection: ``factory`` makes a network by name, ``shape`` gives a sample's shape and its settings."""

    name: str
    packages: tuple[str, ...]
    names: Callable[[], list[str]]
    shape: Callable[[str], tuple[tuple[int, ...], dict[str, Any]]]
    factory: Callable[[str, dict[str, Any]], nn.Module]
    quick: tuple[str, ...]
    excluded: str


def build(zoo: Zoo, name: str, seed: int = 0, settled: bool = True) -> nn.Module:
    """Return a network in evaluation mode with seeded values; the same in every process."""
    torch.manual_seed(0)
    with without_initialisation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = zoo.factory(name, zoo.shape(name)[1])
    fill(model, seed)
    model.eval()
    if settled:
        settle(model, inputs(zoo, name, 4, 6))
    return model


def inputs(zoo: Zoo, name: str, batch: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Return a seeded standard-normal batch."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn((batch, *zoo.shape(name)[0]), generator=generator, dtype=torch.float64).to(dtype),)


def _imported(name: str) -> Any:
    """Import a zoo; torchvision, which others import, lacks in its CPU build what the stubbed module registers."""
    key = "torchvision._meta_registrations"
    sys.modules.setdefault(key, types.ModuleType(key))
    return importlib.import_module(name)


def _torchvision_names() -> list[str]:
    models = _imported("torchvision.models")
    return list(models.list_models(module=models))


# The smallest inputs that leave every layer something to work on; the first pattern that fits counts.
_TORCHVISION_SIZES: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("vit_h_14", 56, {"image_size": 56}),
    ("vit_*", 64, {"image_size": 64}),
    ("maxvit_t", 224, {}),
    ("swin_*", 96, {}),
    ("inception_v3", 75, {"init_weights": False, "aux_logits": False}),
    ("googlenet", 64, {"init_weights": False, "aux_logits": False}),
    ("*", 64, {}),
)


def _torchvision_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    size, settings = next((s, k) for pattern, s, k in _TORCHVISION_SIZES if fnmatch.fnmatchcase(name, pattern))
    return (3, size, size), settings


def _torchvision_network(name: str, settings: dict[str, Any]) -> nn.Module:
    network: nn.Module = _imported("torchvision.models").get_model(name, weights=None, **settings)
    return network


def _geffnet_names() -> list[str]:
    """Leave out names that stand for other weights of the same network."""
    geffnet = _imported("geffnet")
    makers = {**vars(geffnet.gen_efficientnet), **vars(geffnet.mobilenetv3)}
    return sorted(
        name
        for name, maker in makers.items()
        if inspect.isfunction(maker)
        and maker.__module__.startswith("geffnet.")
        and list(inspect.signature(maker).parameters) == ["pretrained", "kwargs"]
        and not name.startswith("_")
        and not any(name.endswith(end) and name.removesuffix(end) in makers for end in ("_ap", "_ns", "_475"))
    )


def _geffnet_network(name: str, settings: dict[str, Any]) -> nn.Module:
    network: nn.Module = _imported("geffnet").create_model(name, **settings)
    return network


_TRANSFORMERS_NOT = {
    "shieldgemma2": "a language model of 4 billion parameters",
    "timm_wrapper": "a wrapper around the timm package",
    "siglip2": "takes patches and a table of picture sizes that its code reads as numbers",
    "dinat": "needs the package natten, a CUDA extension",
}
# Smaller than most configurations' own 224; sizes that patches, windows and strides divide.
_TRANSFORMERS_SIZES: tuple[tuple[str, int], ...] = (
    ("dinov2", 56),  # patches of 14
    ("swin", 224),  # its windows of 7 patches must fit in every stage
    ("donut-swin", 224),
    ("swinv2", 56),
    ("perceiver", 56),  # its own
    ("imagegpt", 8),  # a pixel is a token
    ("*", 64),
)


class Logits(nn.Module):
    """A transformers classifier as a function from an image to its scores."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores: ``(N, classes)``."""
        result = self.network(**self.arguments(image))
        scores: Tensor = result["logits" if "logits" in result else "last_hidden_state"]
        return scores

    def arguments(self, image: Tensor) -> dict[str, Tensor]:
        """Return what the network is called with."""
        return {"pixel_values": image}


class PaletteLogits(Logits):
    """The same for a network that reads one of 512 colours per pixel."""

    def arguments(self, image: Tensor) -> dict[str, Tensor]:
        """Return each pixel's place in a palette."""
        return {"input_ids": (image.mean(1).flatten(1).sigmoid() * 512).long()}


def _transformers_names() -> list[str]:
    auto = _imported("transformers.models.auto.modeling_auto")
    return [name for name in auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES if name not in _TRANSFORMERS_NOT]


def _transformers_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    size = next(size for pattern, size in _TRANSFORMERS_SIZES if fnmatch.fnmatchcase(name, pattern))
    return (3, size, size), {"image_size": size}


def _transformers_network(name: str, settings: dict[str, Any]) -> nn.Module:
    """Build a network from its configuration's own sizes; only the image is smaller and there are 1000 classes."""
    transformers = _imported("transformers")
    config = transformers.AutoConfig.for_model(name)
    for part in (config, getattr(config, "vision_config", None)):
        for key, value in settings.items():
            before = getattr(part, key, None)
            if before is not None:
                setattr(part, key, [value] * len(before) if isinstance(before, (list, tuple)) else value)
    config.num_labels = 1000
    config.architectures = config.architectures or []  # of several networks the first
    network = transformers.AutoModelForImageClassification.from_config(config)
    return PaletteLogits(network) if network.main_input_name == "input_ids" else Logits(network)


def _timm_network(name: str, settings: dict[str, Any]) -> nn.Module:
    network: nn.Module = _imported("timm").create_model(name, **settings)
    return network


def _square(size: int) -> Callable[[str], tuple[tuple[int, ...], dict[str, Any]]]:
    return lambda _: ((3, size, size), {})


class _Residual(nn.Module):
    """A block with a depthwise filter and a sum around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with the block's output added."""
        total: Tensor = x + self.body(x)
        return total


class _Nothing(nn.Module):
    """A network whose only parameter reaches the output: there is nothing to remove."""

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Linear(3 * 16 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores."""
        return self.classify(x.flatten(1))  # type: ignore[no-any-return]


def _built_in(name: str, _settings: dict[str, Any]) -> nn.Module:
    if name == "nothing":
        return _Nothing()
    stem = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    body = [_Residual(16)] if name == "residual" else []
    return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


ZOOS = {
    zoo.name: zoo
    for zoo in (
        Zoo(
            "torchvision",
            ("torchvision",),
            _torchvision_names,
            _torchvision_shape,
            _torchvision_network,
            (
                "mobilenet_v2",
                "shufflenet_v2_x0_5",
                "squeezenet1_1",
                "resnet18",
                "regnet_x_400mf",
                "mobilenet_v3_small",
            ),
            "quantised networks (the same architectures with int8 operators), detection, segmentation and video",
        ),
        Zoo(
            "geffnet",
            ("geffnet",),
            _geffnet_names,
            _square(64),
            _geffnet_network,
            ("mnasnet_small", "mobilenetv3_small_075", "mixnet_s", "fbnetc_100"),
            "names that stand for other weights of the same network (_ap, _ns, _475)",
        ),
        Zoo(
            "transformers",
            ("transformers",),
            _transformers_names,
            _transformers_shape,
            _transformers_network,
            ("mobilenet_v1", "pp_lcnet", "levit", "segformer"),
            "; ".join(f"{name}: {reason}" for name, reason in _TRANSFORMERS_NOT.items()),
        ),
        Zoo(
            "timm",
            ("timm",),
            lambda: [*FAMILIES, *LARGER],
            family_shape,
            _timm_network,
            ("test_vit", "test_mambaout", "starnet_s1", "ghostnetv2_100", "efficientvit_b0"),
            "other networks of the same families",
        ),
        Zoo(
            "built-in",
            (),
            lambda: ["plain", "residual", "nothing"],
            _square(16),
            _built_in,
            ("plain", "residual", "nothing"),
            "nothing",
        ),
    )
}
"""Every zoo by name; ``built-in`` needs no package and is for the tests."""
