from __future__ import annotations

import os
from pathlib import Path

import pytest
from cleanplate_server.config import FlagValue, Settings, memory_size
from cleanplate_server.errors import InputError, NotFoundError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "config.toml"
    written.write_text(
        'port = 1111\nlog_level = "warning"\ndevice = "cpu"\nallowed_folders = ["/media/a", "/media/b"]\n'
    )
    return written


def test_defaults_are_loopback_home_and_less_than_all_memory() -> None:
    settings = Settings.load(environment={})
    assert (settings.host, settings.port, settings.device) == ("127.0.0.1", 0, "auto")
    assert settings.allowed_folders == (Path.home(),)
    assert 0 < settings.memory_bytes < memory_size()


def test_flag_beats_variable_beats_file_beats_default(file: Path) -> None:
    environment = {"CLEANPLATE_CONFIG": str(file), "CLEANPLATE_PORT": "2222", "CLEANPLATE_LOG_LEVEL": "debug"}
    settings = Settings.load({"port": 3333, "device": None}, environment=environment)
    assert (settings.port, settings.log_level, settings.device) == (3333, "debug", "cpu")
    assert settings.allowed_folders == (Path("/media/a"), Path("/media/b"))


def test_folders_in_a_variable_are_divided_as_paths_are() -> None:
    settings = Settings.load(environment={"CLEANPLATE_ALLOWED_FOLDERS": f"/a{os.pathsep}/b"})
    assert settings.allowed_folders == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(("text", "value"), [("8589934592", 8 << 30), ("8GiB", 8 << 30), ("1.5 GB", 1_500_000_000)])
def test_memory_takes_bytes_and_sizes(text: str, value: int) -> None:
    assert Settings.load({"memory_bytes": text}, environment={}).memory_bytes == value


def test_unknown_key_in_file_names_it_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('allowed_folder = ["/a"]\n')
    with pytest.raises(InputError, match=r"'allowed_folder' \(file .*c\.toml\); did you mean 'allowed_folders'"):
        Settings.load({"config": tmp_path / "c.toml"}, environment={})


def test_unknown_variable_is_refused() -> None:
    with pytest.raises(InputError, match=r"'prot' \(variable CLEANPLATE_PROT\); did you mean 'port'"):
        Settings.load(environment={"CLEANPLATE_PROT": "1"})


def test_unknown_flag_without_a_near_one_lists_all() -> None:
    with pytest.raises(InputError, match="the settings are state_folder, "):
        Settings.load({"zzz": 1}, environment={})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "0.0.0.0"),
        ("host", "192.168.1.5"),
        ("host", "example.org"),
        ("port", 70000),
        ("port", True),
        ("port", "eighty"),
        ("device", "gpu"),
        ("log_level", "loud"),
        ("memory_bytes", "much"),
        ("memory_bytes", 0),
        ("resume_interrupted", "maybe"),
        ("keep_days", -1),
        ("state_folder", ""),
        ("allowed_folders", []),
    ],
)
def test_value_that_cannot_be_used_is_refused_by_name(name: str, value: FlagValue) -> None:
    with pytest.raises(InputError, match=rf"^{name} = .*flag --{name.replace('_', '-')}.*; ") as raised:
        Settings.load({name: value}, environment={})
    assert raised.value.metadata["setting"] == name


@pytest.mark.parametrize(("given", "host"), [("localhost", "127.0.0.1"), ("::1", "::1"), ("127.0.0.2", "127.0.0.2")])
def test_loopback_addresses_are_taken(given: str, host: str) -> None:
    assert Settings.load({"host": given}, environment={}).host == host


def test_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no\.toml is not there"):
        Settings.load(environment={"CLEANPLATE_CONFIG": str(tmp_path / "no.toml")})


def test_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("port: 1\n")
    with pytest.raises(InputError, match="is not TOML"):
        Settings.load({"config": str(tmp_path / "c.toml")}, environment={})


def test_json_carries_every_setting(file: Path) -> None:
    settings = Settings.load({"config": file, "resume_interrupted": "no"}, environment={})
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("text", "ports"),
    [("off", []), (False, []), ("0", [0]), (0, [0]), ("47811", [47811]), ("47810-47812", [47810, 47811, 47812])],
)
def test_gateway_port_is_one_a_range_any_or_none(text: FlagValue, ports: list[int]) -> None:
    settings = Settings.load({"gateway_port": text}, environment={})
    assert list(settings.gateway_ports) == ports
    assert Settings.from_json(settings.to_json()) == settings


def test_gateway_port_without_a_setting_is_one_of_ten() -> None:
    assert Settings.load(environment={}).gateway_ports == range(47810, 47820)


@pytest.mark.parametrize("text", ["65536", "-1", "47812-47811", "0-5", "yes", "1-2-3", "", "80-99999"])
def test_gateway_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="47810-47819"):
        Settings.load({"gateway_port": text}, environment={})
