"""What comparisons leave on the disk: nothing is half written, nothing is lost, the last one counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.tuning.choice import Choice
from edgeprune.tuning.choice_log import ChoiceLog, Compared
from edgeprune.tuning.decision import Row

KEPT = Choice("default schedules", False, True, 4)


def compared(time: float) -> Compared:
    return Compared(
        "key", "network", {"kernel": "digest"}, KEPT, "measured", "us", (Row("default", time, None, None, 9),)
    )


def test_turns_and_outcomes_are_read_back(tmp_path: Path) -> None:
    log = ChoiceLog(tmp_path)
    assert (log.turns("one"), log.compared("key"), log.all) == ({}, None, ())
    log.add_turns("one", {"a": {"0": 1.5}, "b": {"0": 2.5}})
    log.add_turns("one", {"a": {"1": 1.25}})
    log.add_turns("two", {"a": {"0": 9.0}})
    log.add(compared(1.0))
    log.add(compared(2.0))
    for found in (log, ChoiceLog(tmp_path)):
        assert found.turns("one") == {"a": {"0": 1.5, "1": 1.25}, "b": {"0": 2.5}}
        assert found.turns("two") == {"a": {"0": 9.0}}
        assert found.all == (compared(2.0),) == (found.compared("key"),)


def test_a_killed_writer_loses_its_line_alone(tmp_path: Path) -> None:
    ChoiceLog(tmp_path).add_turns("one", {"a": {"0": 1.5}})
    with (tmp_path / "choices.jsonl").open("a") as file:
        file.write('{"comparison": "one", "times": {"a": {"1"')
    again = ChoiceLog(tmp_path)
    again.add_turns("one", {"a": {"2": 3.5}})
    assert ChoiceLog(tmp_path).turns("one") == {"a": {"0": 1.5, "2": 3.5}}


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "choices.jsonl").write_text("{}}\n")
    with pytest.raises(UserError, match=r"choices\.jsonl: line 1 is damaged"):
        ChoiceLog(tmp_path)


def test_two_writers_do_not_lose_each_others_lines(tmp_path: Path) -> None:
    first, second = ChoiceLog(tmp_path), ChoiceLog(tmp_path)
    first.add_turns("one", {"a": {"0": 1.0}})
    second.add_turns("one", {"a": {"1": 2.0}})
    assert second.turns("one") == {"a": {"0": 1.0, "1": 2.0}}


@pytest.mark.parametrize("line", ['{"q": 1}', '{"comparison": "c", "times": [1]}', '{"compared": {}}'])
def test_a_line_that_is_no_comparison_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "choices.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=r"choices\.jsonl: line 1 is damaged; remove that line"):
        ChoiceLog(tmp_path)
