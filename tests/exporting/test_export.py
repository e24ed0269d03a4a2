from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edgeprune.errors import UserError
from edgeprune.exporting import export_onnx
from edgeprune.onnx_reference import run_onnx
from edgeprune.parity import compare


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 2))
    batch_norm = model[1]
    assert isinstance(batch_norm, nn.BatchNorm2d)
    nn.init.normal_(batch_norm.bias)
    assert batch_norm.running_mean is not None
    batch_norm.running_mean.normal_()
    return model


def test_onnx_runtime_agrees_with_torch_record_by_record(tmp_path: Path) -> None:
    model = network().eval()
    export_onnx(model, torch.zeros(1, 1, 6, 6), tmp_path / "net.onnx")
    inputs = np.random.default_rng(0).standard_normal((5, 1, 6, 6)).astype(np.float32)
    expected = model(torch.from_numpy(inputs)).detach().numpy()
    compare(expected, run_onnx(tmp_path / "net.onnx", inputs), border="torch | onnxruntime", tolerance=1e-5)


def test_batch_norm_is_folded_and_no_path_of_the_machine_is_left(tmp_path: Path) -> None:
    export_onnx(network(), torch.zeros(1, 1, 6, 6), tmp_path / "net.onnx")
    operators = {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert operators == {"Conv", "Relu", "Reshape", "Gemm"}
    assert str(Path(__file__).parent).encode() not in (tmp_path / "net.onnx").read_bytes()


def test_the_same_network_gives_the_same_bytes_and_keeps_its_mode(tmp_path: Path) -> None:
    model = network().train()
    for name in ("a.onnx", "b.onnx"):
        export_onnx(model, torch.zeros(1, 1, 6, 6), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert model.training


class BiasedAttention(nn.Module):
    """Attention with a trained bias per distance, as in windows: fused kernels refuse it only while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out, self.table = nn.Linear(12, 36), nn.Linear(12, 4), nn.Parameter(torch.randn(25, 3))
        self.register_buffer("places", torch.arange(25).flip(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (part.view(*x.shape[:2], 3, 4).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        bias = self.table[self.places].view(5, 5, -1).permute(2, 0, 1).contiguous().unsqueeze(0)
        result = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(result.transpose(1, 2).reshape(*x.shape[:2], -1))


def test_attention_with_a_trained_bias_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = BiasedAttention().eval(), torch.randn(2, 5, 12)
    export_onnx(model, x[:1], tmp_path / "net.onnx")
    found = run_onnx(tmp_path / "net.onnx", x.numpy())
    compare(model(x).detach().numpy(), found, border="torch | onnxruntime", tolerance=1e-5)


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    class Wavering(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum().item() > 0 else -x

    with pytest.raises(UserError, match=r"^Wavering: cannot be exported to ONNX: "):
        export_onnx(Wavering(), torch.zeros(1, 4), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []
