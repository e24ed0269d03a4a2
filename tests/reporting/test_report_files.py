import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeprune.reporting import Accuracy, Fact, Report, from_json, named_figures
from edgeprune.reporting.figure import MEANING
from edgeprune.reporting.plots.layers import draw_layers
from edgeprune.reporting.plots.style import DENSE, PRUNED, WIDE
from edgeprune.reporting.write import ReportFiles, write_report


class Page(HTMLParser):
    """Collects what a reader sees: text, and every figure as (value, unit, provenance in its badge)."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.figures: list[tuple[str, str, str]] = []
        self._value: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes += found.items()
        if tag == "data":
            assert self._value is None, "a figure without a badge"
            self._value = (found["value"], found["data-unit"])
        elif tag == "abbr":
            assert self._value is not None, "a badge without a figure"
            provenance = found["class"].removeprefix("badge ")
            assert found["title"] == MEANING[provenance]  # type: ignore[index]
            self.figures.append((*self._value, provenance))
            self._value = None

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def files(report: Report, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return write_report(report, tmp_path_factory.mktemp("run") / "report")


@pytest.fixture(scope="module")
def page(files: ReportFiles) -> Page:
    parser = Page()
    parser.feed(files.html.read_text())
    return parser


def test_files_and_nothing_else(files: ReportFiles, report: Report) -> None:
    assert sorted(path.name for path in files.json.parent.iterdir()) == [
        "accuracy_size.png",
        "latency.png",
        "layers.png",
        "overview.png",
        "report.html",
        "report.json",
        "roofline.png",
        "steps.png",
    ]
    assert from_json(files.json.read_text()) == report


def test_page_shows_every_figure_with_its_provenance(page: Page, report: Report) -> None:
    expected = [row.figure for row in named_figures(report) if row.figure.value is not None]
    wanted = sorted((repr(figure.value), figure.unit, str(figure.provenance)) for figure in expected)
    assert sorted(page.figures) == wanted


def test_page_gives_the_reason_of_every_absent_figure(page: Page, report: Report) -> None:
    reasons = {row.figure.reason for row in named_figures(report)} - {None}
    assert reasons == {
        "not run: no QEMU found; run tools/fetch_qemu.py",
        "emulated: the wall time of an emulator is not a latency",
        "instructions are counted for emulated targets only",
        "not tuned: no board",
        "the baseline",
        "target host does not give bandwidth_gb_s",
    }
    for reason in reasons:
        assert str(reason) in page.text


def test_page_needs_nothing_from_elsewhere(page: Page, files: ReportFiles) -> None:
    text = files.html.read_text()
    assert not re.search(r"https?:|//[a-z]", text, re.IGNORECASE)
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed"})
    references = [value for name, value in page.attributes if name in ("href", "src", "srcset", "xlink:href", "data")]
    references += re.findall(r"url\(([^)]*)\)", text)
    ids = [value for name, value in page.attributes if name == "id"]
    assert references
    assert {reference.removeprefix("#") for reference in references} <= set(ids)
    assert len(ids) == len(set(ids)), "pictures on one page must not share ids"


def test_pictures_on_the_page_follow_its_colour_scheme(files: ReportFiles) -> None:
    pictures = re.findall(r"<svg.*?</svg>", files.html.read_text(), re.DOTALL)
    assert len(pictures) == 10
    for picture in pictures:
        assert "var(--pruned)" in picture
        assert not re.search(r"#[0-9a-f]{6}\b", picture), "a colour that no scheme can change"
        assert "DejaVu" not in picture


def test_page_says_what_was_not_run_and_how_it_was_made(page: Page, report: Report) -> None:
    text = " ".join(page.text.split())
    assert "cortex-a7: run under emulation: no QEMU found; run tools/fetch_qemu.py" in text
    assert "governor not fixed: no cpufreq on this machine" in text
    assert "its outputs are the network's outputs" in text
    assert "n = 1,000" in text
    for value in (report.command, report.machine, report.created, "2.13.0", "55,000 training, 5,000 validation"):
        assert value in text


def test_page_takes_names_as_text(report: Report, tmp_path: Path) -> None:
    nasty = '<script>alert("x")</script>'
    hostile = report.model_copy(
        update={
            "title": nasty,
            "settings": (Fact(name=nasty, value=nasty),),
            "layers": tuple(layer.model_copy(update={"name": f"$a_{{$<i>{nasty}"}) for layer in report.layers),
        }
    )
    parser = Page()
    parser.feed(write_report(hostile, tmp_path).html.read_text())
    assert "script" not in parser.tags
    assert parser.text.count(nasty) > 4


@pytest.mark.parametrize(
    ("name", "size"),
    [("overview", (1440, 1236)), ("accuracy_size", (1440, 576)), ("latency", (1440, 560)), ("layers", (1440, 374))],
)
def test_pngs_are_pictures_of_their_size(files: ReportFiles, name: str, size: tuple[int, int]) -> None:
    with Image.open(getattr(files, name)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", size)
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert _share(pixels, PRUNED) > 0.001


def test_overview_draws_bars_to_scale(files: ReportFiles) -> None:
    """The parameters' bars: the second pair, whose lengths relate as 31472 to 431080."""
    with Image.open(files.overview) as picture:
        pixels = np.asarray(picture.convert("RGB"))[:, : int(0.73 * 1440)]
    dense, pruned = (_runs(pixels, colour) for colour in (DENSE, PRUNED))
    assert len(dense) == len(pruned) == 9
    assert pruned[1] / dense[1] == pytest.approx(31472 / 431080, abs=0.003)
    assert pruned[0] / dense[0] == pytest.approx(9909 / 9914, abs=0.003)


def test_writing_twice_gives_the_same_bytes(files: ReportFiles, report: Report, tmp_path: Path) -> None:
    again = write_report(report, tmp_path)
    for path in files.json.parent.iterdir():
        assert (again.json.parent / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_run_of_which_little_is_known_is_still_a_report(report: Report, tmp_path: Path) -> None:
    unknown = report.dense.model_copy(
        update={"test": Accuracy.absent("test split not read"), "validation": Accuracy.absent("no validation split")}
    )
    bare = report.model_copy(
        update={"dense": unknown, "pruned": unknown, "epochs": (), "rounds": (), "layers": (), "parity": ()}
        | {"targets": (), "not_run": (), "stages": ()}
    )
    parser = Page()
    parser.feed(write_report(bare, tmp_path).html.read_text())
    assert "test split not read" in parser.text
    assert "no validation split" in parser.text
    assert "No latency was measured" not in parser.text, "no target, no latency section"
    with Image.open(tmp_path / "latency.png") as picture:
        assert picture.size == (1440, 192)


@pytest.mark.parametrize(("count", "row"), [(39, 0.36), (60, 0.23)])
def test_many_layers_stand_closer(report: Report, count: int, row: float) -> None:
    many = tuple(report.layers[0].model_copy(update={"name": f"stage.{index}.conv"}) for index in range(count))
    figure = draw_layers(report.model_copy(update={"layers": many}), WIDE)
    assert figure.get_figheight() == pytest.approx(0.9 + count * row)
    assert len(figure.axes[0].get_yticklabels()) == count


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _share(pixels: np.ndarray, colour: str) -> float:
    return float((pixels == _rgb(colour)).all(axis=-1).mean())


def _runs(pixels: np.ndarray, colour: str) -> list[int]:
    """Return the length in pixels of each bar of that colour, from top to bottom."""
    per_row = (pixels == _rgb(colour)).all(axis=-1).sum(axis=1)
    filled = np.flatnonzero(per_row > 20)
    bars = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    return [int(np.median(per_row[bar])) for bar in bars]
