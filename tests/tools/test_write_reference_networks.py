"""The networks that the documentation's commands are repeated with."""

from pathlib import Path

import onnx
import pytest
import write_reference_networks


@pytest.mark.slow
def test_a_network_is_written_whole_and_the_same_every_time(tmp_path: Path) -> None:
    for place in ("one", "other"):
        assert write_reference_networks.main([str(tmp_path / place), "lenet5"]) == 0
        assert [path.name for path in (tmp_path / place).iterdir()] == ["lenet5.onnx"]
    model = onnx.load(tmp_path / "one" / "lenet5.onnx")
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 1, 28, 28]
    other = onnx.load(tmp_path / "other" / "lenet5.onnx")
    weights = [[tensor.raw_data for tensor in each.graph.initializer] for each in (model, other)]
    assert weights[0] == weights[1]


def test_a_network_that_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        write_reference_networks.main([str(tmp_path / "out"), "resnet2"])
    assert end.value.code == 2
    assert "resnet2 is not known; choose among lenet5, lenet5-pruned, ds-cnn" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
