"""Which networks of timm the benches run on, and the inputs they are given."""

from __future__ import annotations

import fnmatch
from typing import Any

# One network per family; timm's own miniature networks, a family in a few layers each, come last.
FAMILIES = (
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

# Families that have larger networks only.
LARGER = (
    *("coatnet_pico_rw_224", "maxvit_pico_rw_256", "sequencer2d_s", "volo_d1_224", "nest_tiny", "twins_svt_small"),
    *("twins_pcpvt_small", "focalnet_tiny_srf", "davit_tiny", "gcvit_xxtiny", "hiera_tiny_224", "nextvit_small"),
    *("swinv2_cr_tiny_ns_224", "tnt_s_patch16_224", "caformer_s18", "fasternet_t0", "rdnet_tiny", "mvitv2_tiny"),
    *("eva02_tiny_patch14_224", "efficientformer_l1", "dla60_res2net", "tresnet_m", "ecaresnet26t", "bat_resnext26ts"),
)

# Inputs that leave every layer something to work on; the first pattern that fits counts.
_SIZES: tuple[tuple[str, int, dict[str, Any]], ...] = (
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
    ("tnt_*", 64, {"img_size": 64}),
    ("eva02_*", 56, {"img_size": 56}),
    ("levit_*", 224, {}),
    ("efficientformerv2_*", 224, {}),
    ("efficientvit_m0", 224, {}),
    ("tiny_vit_*", 224, {}),
    ("crossvit_*", 240, {}),
    ("halonet26t", 256, {}),
    ("botnet26t_256", 256, {}),
    ("lambda_resnet26t", 256, {}),
    ("maxvit_*", 256, {}),
    *(
        (pattern, 224, {})
        for pattern in ("coatnet_*", "volo_*", "nest_*", "gcvit_*", "hiera_*", "swinv2_cr_*", "mvitv2_*")
    ),
    ("efficientformer_*", 224, {}),
    ("convmixer_*", 56, {}),
    ("*", 64, {}),
)


def family_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Return the shape of a sample and the settings with which timm makes the network for it."""
    size, settings = next((s, k) for pattern, s, k in _SIZES if fnmatch.fnmatchcase(name, pattern))
    return (3, size, size), settings
