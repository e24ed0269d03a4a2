"""Networks that come with the tool; each is an ordinary ``nn.Module`` built by a factory a recipe can name."""

from edgeprune.models.dscnn import DSCNN, dscnn
from edgeprune.models.lenet5 import LeNet5, lenet5
from edgeprune.models.lenet300 import LeNet300, lenet300

__all__ = ["DSCNN", "LeNet5", "LeNet300", "dscnn", "lenet5", "lenet300"]
