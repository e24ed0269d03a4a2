import pytest

from edgeprune.errors import UserError
from edgeprune.target import Address, find_target, split_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("local", {"way": "local"}),
        ("ssh://camera", {"way": "ssh", "host": "camera", "port": None, "user": "", "lock": True, "wait": 900.0}),
        ("ssh://pi@10.0.0.2:2222", {"host": "10.0.0.2", "port": 2222, "user": "pi"}),
        ("ssh://c?directory=/data/x/&lock=no&wait=2.5", {"directory": "/data/x", "lock": False, "wait": 2.5}),
        ("adb://", {"way": "adb", "host": ""}),
        ("adb://192.168.1.5:5555", {"way": "adb", "host": "192.168.1.5:5555"}),
        ("rpc://pi:9090", {"way": "rpc", "host": "pi", "port": 9090, "key": ""}),
        ("rpc://[::1]:9090/cam", {"host": "::1", "key": "cam"}),
        ("tracker://lab:9190/rpi3?priority=-2", {"way": "tracker", "key": "rpi3", "priority": -2}),
    ],
)
def test_an_address_falls_into_its_parts(text: str, parts: dict[str, object]) -> None:
    address = Address.parse(text)
    assert {key: getattr(address, key) for key in parts} == parts
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ftp://x", "'ftp://x' is no way to a board; known: local, qemu, ssh://"),
        ("ssh://", "not of the form ssh://"),
        ("ssh://-oProxyCommand=x", "not of the form ssh://"),
        ("ssh://-l@x", "not of the form ssh://"),
        ("ssh://x/data", r"a directory is given as ssh://x\?directory=/data"),
        ("ssh://x?directory=data", "directory=data: a path from the root is wanted"),
        ("ssh://x?lock=maybe", "lock=maybe: yes or no is wanted"),
        ("ssh://x?wait=soon", "wait=soon: a number of seconds is wanted"),
        ("ssh://x?priority=1", "unknown option 'priority'; known: directory, lock, wait"),
        ("adb://-x", "not of the form adb://"),
        ("rpc://x", "not of the form rpc://"),
        ("rpc://x:99999", "port 99999: from 1 to 65535"),
        ("tracker://x:9190", "not of the form tracker://host:port/key"),
        ("tracker://x:1/k?priority=high", "priority=high: a whole number is wanted"),
    ],
)
def test_a_wrong_address_says_what_is_right(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Address.parse(text)


def test_a_name_may_carry_an_address() -> None:
    assert split_address("rpi3") == ("rpi3", None)
    assert split_address("rpi3@ssh://pi@camera") == ("rpi3", "ssh://pi@camera")
    assert split_address("dir@home/my.toml@local") == ("dir@home/my.toml", "local")
    target = find_target("rpi3@ssh://pi@camera")
    assert (target.name, target.transport, target.emulated) == ("rpi3", "ssh://pi@camera", False)
    assert target.cpu == find_target("rpi3").cpu
    with pytest.raises(UserError, match=r"rpi3.toml: transport: 'ssh://': not of the form"):
        find_target("rpi3@ssh://")
