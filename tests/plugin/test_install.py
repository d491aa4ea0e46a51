"""What is copied into editing programs: where to on each system, whole or not at all, and gone again."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from cleanplate_plugin.command import Reach, cli
from cleanplate_plugin.install import (
    InstallError,
    System,
    install_resolve,
    menu_scripts,
    pack_premiere,
    scripts_folder,
    source_folder,
    uninstall_resolve,
)
from click.testing import CliRunner

NAMES = {"Remove Object.lua", "Show Original.lua"}
MAC = "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility/Cleanplate"
WINDOWS = "Blackmagic Design/DaVinci Resolve/{}Fusion/Scripts/Utility/Cleanplate"


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def system_of(platform: str, folder: Path) -> System:
    environment = {"APPDATA": str(folder / "roaming"), "PROGRAMDATA": str(folder / "programdata")}
    return System(platform, environment if platform == "win32" else {}, folder / "home", folder / "root")


@pytest.mark.parametrize(
    ("platform", "for_all_users", "place"),
    [
        ("linux", False, "home/.local/share/DaVinciResolve/Fusion/Scripts/Utility/Cleanplate"),
        ("linux", True, "root/home/resolve/Fusion/Scripts/Utility/Cleanplate"),
        ("darwin", False, f"home/{MAC}"),
        ("darwin", True, f"root/{MAC}"),
        ("win32", False, f"roaming/{WINDOWS.format('Support/')}"),
        ("win32", True, f"programdata/{WINDOWS.format('')}"),
    ],
)
def test_install_on_each_system_writes_the_menu_where_resolve_looks(
    tmp_path: Path, platform: str, for_all_users: bool, place: str
) -> None:
    system = system_of(platform, tmp_path)

    files = install_resolve(system, tmp_path / "state", for_all_users=for_all_users)

    assert {file.relative_to(tmp_path) for file in files} == {Path(place) / name for name in NAMES}
    assert all(file.is_file() for file in files)
    assert names_in(files[0].parent) == NAMES

    gone = uninstall_resolve(system, for_all_users=for_all_users)

    assert set(gone) == set(files)
    assert not files[0].parent.exists()


def test_install_for_all_users_on_linux_uses_opt_when_resolve_is_there(tmp_path: Path) -> None:
    (tmp_path / "root" / "opt" / "resolve").mkdir(parents=True)

    folder = scripts_folder(system_of("linux", tmp_path), for_all_users=True)

    assert folder.is_relative_to(tmp_path / "root" / "opt" / "resolve")


def test_install_over_an_older_copy_leaves_no_old_item_and_keeps_foreign_ones(tmp_path: Path) -> None:
    system = system_of("linux", tmp_path)
    folder = scripts_folder(system, for_all_users=False)
    folder.mkdir(parents=True)
    (folder / "Old Name.lua").write_text("-- Cleanplate: made by an older version\n")
    (folder / "Remove Object.lua").write_text("-- Cleanplate: older\n")
    (folder / "Mine.lua").write_text("-- mine\n")

    install_resolve(system, tmp_path / "state")
    uninstalled = uninstall_resolve(system, dry_run=True)

    assert names_in(folder) == NAMES | {"Mine.lua"}
    assert {file.name for file in uninstalled} == NAMES
    uninstall_resolve(system)
    assert names_in(folder) == {"Mine.lua"}


def test_install_dry_run_writes_nothing(tmp_path: Path) -> None:
    files = install_resolve(system_of("darwin", tmp_path), tmp_path / "state", dry_run=True)

    assert len(files) == 2
    assert list(tmp_path.iterdir()) == []


def test_uninstall_of_nothing_is_no_error(tmp_path: Path) -> None:
    assert uninstall_resolve(system_of("linux", tmp_path)) == ()


def test_install_where_a_file_stands_in_the_way_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "home" / ".local").mkdir(parents=True)
    (tmp_path / "home" / ".local" / "share").write_text("not a folder")

    with pytest.raises(InstallError, match="cannot be changed"):
        install_resolve(system_of("linux", tmp_path), tmp_path / "state")

    assert names_in(tmp_path / "home" / ".local") == {"share"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which nobody may make another")
def test_install_without_permission_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"/sys/.* cannot be changed \(.*administrator"):
        install_resolve(System("linux", {}, Path("/sys")), tmp_path / "state")


def test_menu_scripts_hold_the_state_folder_in_plain_letters(tmp_path: Path) -> None:
    scripts = menu_scripts(source_folder("resolve"), Path('/home/jö"rg/st\\ate'))

    text = scripts["Remove Object.lua"]
    assert 'state_folder = "/home/j\\195\\182\\034rg/st\\092ate"' in text
    assert text.startswith("-- Cleanplate:")


def test_panel_is_packed_with_what_premiere_loads_and_nothing_else(tmp_path: Path) -> None:
    package = pack_premiere(tmp_path)

    names = zipfile.ZipFile(package).namelist()
    assert {"manifest.json", "index.html", "bundle.js"} <= set(names)
    assert all(name.startswith("icons/") for name in names if "/" in name)


def run_command(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    reach = Reach(system=lambda: system_of("linux", tmp_path))
    ran = CliRunner().invoke(cli, ["--state-folder", str(tmp_path / "state"), *arguments], obj=reach)
    assert ran.exception is None or isinstance(ran.exception, SystemExit)
    return ran.exit_code, ran.stdout, ran.stderr


def test_command_installs_and_uninstalls(tmp_path: Path) -> None:
    code, out, err = run_command(tmp_path, "install", "resolve")

    assert code == 0
    assert [Path(line).name for line in out.splitlines()] == sorted(NAMES)
    assert "Workspace > Scripts > Cleanplate" in err
    assert run_command(tmp_path, "install", "resolve", "--uninstall")[1] == out
    assert "nothing was installed" in run_command(tmp_path, "install", "resolve", "--uninstall")[2]


def test_command_that_cannot_write_ends_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")

    code, out, err = run_command(tmp_path, "install", "resolve")

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("Error: ")


def test_command_packs_the_panel(tmp_path: Path) -> None:
    code, out, _ = run_command(tmp_path, "install", "premiere")

    assert code == 0
    assert Path(out.strip()).is_file()
    assert run_command(tmp_path, "install", "premiere", "--uninstall")[0] == 0
    assert not Path(out.strip()).exists()
