"""DaVinci Resolve Studio, driven from our own process through its external scripting."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Protocol, cast

from cleanplate.v1 import resolve_pb2, shot_pb2

from cleanplate_plugin.errors import HostError, StaleClipError
from cleanplate_plugin.hosts import resolve_calls as calls
from cleanplate_plugin.hosts.placement import placement_of
from cleanplate_plugin.hosts.protocol import HostShot
from cleanplate_plugin.hosts.resolve_calls import Desk, ask, must
from cleanplate_plugin.hosts.resolve_facts import HOST_NAME, fingerprint, shot_from_facts
from cleanplate_plugin.hosts.resolve_otio import OpenDocument, place_in_new_timeline
from cleanplate_plugin.hosts.resolve_placing import (
    NotUndoneError,
    Order,
    is_ours,
    mark,
    place_above,
    place_as_take,
)
from cleanplate_plugin.hosts.resolve_reading import product_of, read_current, read_item, version_of
from cleanplate_plugin.timeline import Take

if TYPE_CHECKING:
    from fusionscript import Resolve, TimelineItem

_STUDIO = "DaVinci Resolve Studio"


class _Module(Protocol):
    """``DaVinciResolveScript``, which comes with Resolve."""

    def scriptapp(self, name: str) -> Resolve | None: ...


class _NewerResolve(Protocol):
    """What came with 21.1, after the published types."""

    def IsStudio(self) -> bool: ...


def connect(environment: Mapping[str, str], *, platform: str = sys.platform) -> Resolve:
    """Finds the Resolve Studio that runs.

    Args:
        environment: variables; ``RESOLVE_SCRIPT_API`` names another folder than the installer's usual one.
        platform: as ``sys.platform``.

    Raises:
        HostError: it is not installed, does not run, is not Studio, or does not let other programs in.
    """
    folder = _scripting_folder(environment, platform)
    file = folder / "Modules" / "DaVinciResolveScript.py"
    if not file.is_file():
        raise HostError(
            f"DaVinci Resolve's scripting module is not at {file}; install Resolve Studio, or set RESOLVE_SCRIPT_API to"
            " its Developer/Scripting folder"
        )
    resolve = _load(file).scriptapp("Resolve")
    if not resolve:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise HostError(
            "DaVinci Resolve does not answer; start Resolve Studio, set Preferences > System > General > External"
            f" scripting using to Local, and if it still does not, use Python 3.10 to 3.12 (this is {version}); the"
            " free edition is driven from its own Scripts menu, see `cleanplate-plugin install resolve`"
        )
    check_edition(resolve)
    return resolve


def check_edition(resolve: Resolve) -> None:
    """Refuses the free edition before any other call: a gated one opens a dialog there, and later ones then fail.

    Raises:
        HostError: it is the free edition.
    """
    if "IsStudio" in dir(resolve):
        is_studio = bool(ask("Resolve.IsStudio", cast("_NewerResolve", resolve).IsStudio))
    else:
        is_studio = product_of(resolve) == _STUDIO
    if not is_studio:
        raise HostError(
            f"{product_of(resolve) or 'DaVinci Resolve'} {version_of(resolve)} is the free edition, which other"
            " programs cannot drive; run `cleanplate-plugin install resolve` and use its menu"
            " Workspace > Scripts > Cleanplate"
        )


class ResolveHost:
    """A running Resolve Studio behind ``hosts.protocol.Host``.

    Args:
        resolve: of ``connect``.
        say: shows a line to the person.
        work_folder: for timeline files, where the last fallback needs them.
        open_document: reads such a file.
    """

    def __init__(
        self, resolve: Resolve, *, say: Callable[[str], None], work_folder: Path, open_document: OpenDocument
    ) -> None:
        self._resolve = resolve
        self._say = say
        self._work_folder = work_folder
        self._open_document = open_document

    @property
    def name(self) -> str:
        return HOST_NAME

    @property
    def resolve(self) -> Resolve:
        """The program."""
        return self._resolve

    def current_facts(self) -> resolve_pb2.ResolveFacts:
        """What the getters say of the clip under the playhead.

        Raises:
            HostError: no project or timeline is open, or the page has no playhead.
        """
        facts = read_current(Desk.open(self._resolve))
        if not facts.timeline.playhead_timecode:
            raise HostError("Resolve tells no playhead on this page; open the Edit page and try again")
        return facts

    def current_shot(self) -> HostShot:
        return shot_from_facts(self.current_facts())

    def facts_of(self, identity: str) -> resolve_pb2.ResolveFacts:
        """What the getters say of one clip, wherever the playhead stands.

        Raises:
            StaleClipError: the current timeline has no such clip.
        """
        desk = Desk.open(self._resolve)
        return _clip_facts(desk, _item(desk, identity))

    def place(self, shot: HostShot, take: Take) -> str:
        return self.place_media(shot, placement_of(shot.use, shot.part, take))

    def place_media(self, shot: HostShot, placement: shot_pb2.Placement) -> str:
        """Places what the gateway, or ``placement_of``, has settled; else as ``place``."""
        desk = Desk.open(self._resolve)
        item = _item(desk, shot.use.place)
        if fingerprint(_clip_facts(desk, item)) != shot.fingerprint:
            raise StaleClipError(
                f"clip '{shot.use.name}' was edited after Cleanplate had looked at it, so nothing was placed; clean it"
                " again"
            )
        order = Order(item, shot.use, placement)
        done = self._place_somehow(desk, order)
        marked = mark(desk, order)
        return done if marked else f"{done}; no marker could be set, its frames have some already"

    def restore(self) -> str:
        desk = Desk.open(self._resolve)
        item = must(
            "Timeline.GetCurrentVideoItem", lambda: desk.timeline.GetCurrentVideoItem(), "move the playhead onto a clip"
        )
        name = str(ask("TimelineItem.GetName", lambda: item.GetName()))
        media = calls.media_of(item)
        if not media or not is_ours(desk, media):
            raise HostError(f"clip '{name}' shows no take of Cleanplate; move the playhead onto one that does")
        return _restored(desk, item, name)

    def tell(self, message: str) -> None:
        self._say(message)

    def _place_somehow(self, desk: Desk, order: Order) -> str:
        """The first way that works; each leaves everything as it was when it does not."""
        ways = [("on a track above", self._lay_above), ("in a new timeline", self._build_anew)]
        if not order.is_for_above:
            ways.insert(0, ("as a take", self._add_take))
        refused = []
        for name, way in ways:
            try:
                return way(desk, order)
            except NotUndoneError:
                raise
            except HostError as error:
                refused.append(f"{name}: {error.sentence}")
        raise HostError(f"{order.path} could not be placed, and nothing was changed ({'; '.join(refused)})")

    def _add_take(self, desk: Desk, order: Order) -> str:
        place_as_take(desk, order)
        return f"clip '{order.use.name}' shows {order.path.name} as a take; its take selector leads back"

    def _lay_above(self, desk: Desk, order: Order) -> str:
        track = place_above(desk, order)
        return (
            f"{order.path.name} lies on video track {track} above clip '{order.use.name}'; delete it there to go back"
        )

    def _build_anew(self, desk: Desk, order: Order) -> str:
        made = place_in_new_timeline(desk, order, self._work_folder, self._open_document)
        return f"{order.path.name} is in the new timeline '{made}'; this one stays as it was"


def _restored(desk: Desk, item: TimelineItem, name: str) -> str:
    if not calls.takes_count(item):
        calls.delete_items(desk, [item])
        return f"'{name}' was taken off the track above; it stays in the media pool"
    shown = calls.selected_take(item)
    entries = [entry for entry in calls.takes_of(item) if not is_ours(desk, entry.media)]
    if not entries:
        raise HostError(f"clip '{name}' has takes of Cleanplate alone; undo in Resolve, or lay the original over it")
    before = desk.layout()
    calls.select_take(item, entries[0].index)
    if desk.layout() != before:
        calls.select_take(item, shown)
        raise HostError(f"the original take of clip '{name}' has another length; choose it in the take selector")
    return f"clip '{name}' shows its original again; Cleanplate's take stays in the take selector"


def _item(desk: Desk, identity: str) -> TimelineItem:
    item = desk.item(identity)
    if item is None:
        raise StaleClipError(
            "the clip is not on the current timeline, so nothing was placed; open its timeline, or clean it again"
        )
    return item


def _clip_facts(desk: Desk, item: TimelineItem) -> resolve_pb2.ResolveFacts:
    """Facts without playhead and marks, which are no part of the clip."""
    facts = read_item(desk, item)
    for field in ("playhead_timecode", "mark_in", "mark_out"):
        facts.timeline.ClearField(field)
    return facts


def _scripting_folder(environment: Mapping[str, str], platform: str) -> Path:
    named = environment.get("RESOLVE_SCRIPT_API")
    if named:
        return Path(named)
    if platform == "darwin":
        return Path("/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting")
    if platform == "win32":
        data = environment.get("PROGRAMDATA", r"C:\ProgramData")
        return Path(PureWindowsPath(data, "Blackmagic Design", "DaVinci Resolve", "Support", "Developer", "Scripting"))
    usual = Path("/opt/resolve/Developer/Scripting")
    return usual if usual.is_dir() else Path("/home/resolve/Developer/Scripting")


def _load(file: Path) -> _Module:
    """Imports Resolve's module by its path.

    Raises:
        HostError: it cannot be loaded; it in turn loads a library of Resolve's.
    """
    spec = importlib.util.spec_from_file_location("DaVinciResolveScript", file)
    if spec is None or spec.loader is None:
        raise HostError(f"{file} is no Python module; install Resolve Studio anew")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError, AttributeError) as error:
        del sys.modules[spec.name]
        raise HostError(
            f"DaVinci Resolve's scripting library could not be loaded ({error}); set RESOLVE_SCRIPT_LIB to its"
            " fusionscript library, and use a 64-bit Python 3.10 to 3.12"
        ) from error
    # The module puts the library itself in its own place.
    return cast("_Module", sys.modules[spec.name])
