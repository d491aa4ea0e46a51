"""A gateway that speaks the page's JSON over a tiny shot of its own, quick and with faults at will.

A disc walks over a wall. Whoever clicks on it gets it as mask; following gives the disc's place on each frame.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

import cv2
import numpy as np
from cleanplate_plugin.gateway.pages import Pages
from plugin.page.fake_http import CODE, RefusedError, handler_of
from plugin.page.fake_shot import Json, Mask, Shot, crop, encoded, paint, png


@dataclass
class FakeGateway:
    """The session, what was asked, and the faults.

    Args:
        pace_seconds: for each frame that is followed or filled.
        answer_seconds: before a change is made.
        frame_seconds: before a picture is answered.
        is_down: connections are cut without an answer.
        down_seconds: so long after they were made.
        is_locked: nobody is known until the code was given once more.
        fails: sentence with which the next job fails.
        undecodable: sentence with which every frame is refused.
        asked: verbs and bodies of all changes.
    """

    shot: Shot = field(default_factory=Shot)
    pace_seconds: float = 0.005
    answer_seconds: float = 0.0
    frame_seconds: float = 0.0
    is_down: bool = False
    down_seconds: float = 0.0
    is_locked: bool = False
    fails: str = ""
    undecodable: str = ""
    asked: list[tuple[str, Json]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shot = self.shot
        self.changed = threading.Condition()
        self.masks: dict[tuple[int, int], Mask] = {}
        self.bases: dict[tuple[int, int], Mask] = {}
        self.tracks: dict[int, dict[int, Json]] = {}
        self.jobs: dict[str, Json] = {}
        self.log: list[tuple[str, Json]] = []
        self.stops = threading.Event()
        self.cancelled: set[str] = set()
        self.session: Json = {
            "name": "sessions/walk", "revision": "1", "title": "walker.mov",
            "clip": {"name": "", "path": "", "height": shot.height, "width": shot.width, "frame_count": str(shot.count),
                     "frame_rate": {"numerator": "24", "denominator": "1"}, "start_timecode": "01:00:00:00",
                     "codec": "prores"},
            "range": {"start_frame": str(shot.first), "frame_count": str(shot.count), "handle_frame_count": 0},
            "prompt_frame": str(shot.first), "objects": [], "cuts": [], "cuts_known": True,
            "settings": {"with_shadow": False, "effort": "EFFORT_BALANCED", "delivery": "DELIVERY_PLATE", "engines": [],
                         "codec": ""},
            "default_grow_px": 4, "default_feather_px": 2, "takes": [], "suggested_path": "/media/walker_clean.mov",
            "closed": False, "update_time": "2026-01-01T10:00:00Z", "page": "",
        }  # fmt: skip
        self.pages = Pages()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def page(self) -> str:
        return f"{self.address}/pick/walk#{CODE}"

    def stop(self) -> None:
        self.is_down = True
        self.stops.set()
        with self.changed:
            self.changed.notify_all()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def bodies(self, verb: str) -> list[Json]:
        return [body for each, body in self.asked if each == verb]

    # ---- what is told

    def tell(self, kind: str, data: Json) -> None:
        with self.changed:
            self.log.append((kind, json.loads(json.dumps(data))))
            self.changed.notify_all()

    def touch(self) -> str:
        """A change of the session."""
        self.session["revision"] = str(int(self.session["revision"]) + 1)
        self.tell("session", self.session)
        return str(self.session["revision"])

    def events(self) -> Iterator[tuple[str, Json] | None]:
        with self.changed:
            place = len(self.log)
            first = [
                ("session", json.loads(json.dumps(self.session))),
                *(("track", each) for each in self.all_tracks()),
            ]
            first += [("job", job) for job in self.jobs.values()]
        yield from first
        while not self.is_down:
            with self.changed:
                if len(self.log) == place:
                    self.changed.wait(0.2)
                news = self.log[place:]
                place += len(news)
            yield from news or [None]

    def all_tracks(self) -> list[Json]:
        return [
            {"object_id": id_, "replace": True, "frames": list(frames.values())} for id_, frames in self.tracks.items()
        ]

    def set_frames(self, id_: int, frames: dict[int, tuple[str, float]]) -> None:
        revision = self.session["revision"]
        rows = [{"frame": str(frame), "state": state, "confidence": sure, "revision": revision}
                for frame, (state, sure) in frames.items()]  # fmt: skip
        known = self.tracks.setdefault(id_, {})
        for row in rows:
            known[int(row["frame"])] = row
            if row["state"] == "NONE":
                del known[int(row["frame"])]
        self.tell("track", {"object_id": id_, "replace": False, "frames": rows})

    # ---- what is changed

    def object(self, body: Json) -> Json:
        given = body["object"]
        id_ = given.get("object_id") or 1 + max((each["object_id"] for each in self.session["objects"]), default=0)
        found = self.find(id_)
        found.update({name: value for name, value in given.items() if value or name == "hidden"}, object_id=id_)
        self.touch()
        return {"session": self.session, "object_id": id_}

    def find(self, id_: int) -> Json:
        for each in self.session["objects"]:
            if each["object_id"] == id_:
                found: Json = each
                return found
        color = ("#e6550d", "#3182bd", "#31a354", "#756bb1")[(id_ - 1) % 4]
        made = {"object_id": id_, "name": f"Object {id_}", "color": color, "hidden": False, "prompts": []}
        self.session["objects"].append(made)
        self.session["objects"].sort(key=lambda each: each["object_id"])
        return made

    def delete_object(self, body: Json) -> Json:
        self.session["objects"] = [each for each in self.session["objects"] if each["object_id"] != body["object_id"]]
        self.tracks.pop(body["object_id"], None)
        self.touch()
        return {"session": self.session}

    def prompt(self, body: Json) -> Json:
        prompt = {"points": [], "strokes": [], "object_name": "", **body["prompt"]}
        id_, frame = prompt["object_id"], int(prompt["frame"])
        found = self.find(id_)
        if body["base"] == "BASE_CURRENT":
            self.bases[id_, frame] = self.masks.get((id_, frame), np.zeros((self.shot.height, self.shot.width), bool))
        elif body["base"] == "BASE_UNSPECIFIED":
            self.bases.pop((id_, frame), None)
        masks = self.answers(prompt, frame, self.bases.get((id_, frame)))
        for mask in masks:
            paint(mask, body["edits"])
        problem = "" if masks else "nothing was found there; click on the object itself"
        revision = self.touch()
        prompted = {"prompt": prompt, "edits": body["edits"], "has_base": (id_, frame) in self.bases,
                    "candidate_count": len(masks), "chosen": 0, "score": 0.9, "revision": revision,
                    "problem": problem}  # fmt: skip
        found["prompts"] = [each for each in found["prompts"] if int(each["prompt"]["frame"]) != frame] + [prompted]
        found["prompts"].sort(key=lambda each: int(each["prompt"]["frame"]))
        if problem:
            self.touch()
            raise RefusedError(400, "INVALID_PROMPT", problem)
        self.masks[id_, frame] = masks[0]
        self.candidates = masks
        self.set_frames(id_, {frame: ("KEY", 1.0)})
        self.age(id_, frame)
        self.tell("session", self.session)
        return {"candidates": [crop(mask, 0.9 - 0.2 * place) for place, mask in enumerate(masks)], "engine": "fake",
                "prompted": prompted, "revision": revision}  # fmt: skip

    def answers(self, prompt: Json, frame: int, base: Mask | None) -> list[Mask]:
        disc = self.shot.disc(frame)
        inside = [point for point in prompt["points"] if point["side"] == "SIDE_INSIDE"]
        box = prompt.get("box")
        hit = any(disc[round(point["y"]), round(point["x"])] for point in inside)
        if box:
            hit = hit or bool(disc[box["y0"] : box["y1"] + 1, box["x0"] : box["x1"] + 1].any())
        if prompt["object_name"]:
            hit = hit or (prompt["object_name"] in "disc" and prompt["name_hit"] <= 2)
        if hit:
            return [disc.copy(), self.shot.disc(frame, 1.5)]
        return [base.copy()] if base is not None else []

    def age(self, id_: int, frame: int) -> None:
        """Only up to the neighbouring keys."""
        stale = {}
        for way in (-1, 1):
            at = frame + way
            while (row := self.tracks[id_].get(at)) and row["state"] != "KEY":
                stale[at] = ("STALE", row["confidence"])
                at += way
        if stale:
            self.set_frames(id_, stale)

    def clear(self, body: Json) -> Json:
        id_, frame = body["object_id"], int(body["frame"])
        found = self.find(id_)
        found["prompts"] = [each for each in found["prompts"] if int(each["prompt"]["frame"]) != frame]
        self.touch()
        self.masks.pop((id_, frame), None)
        if self.tracks.get(id_, {}).get(frame):
            self.set_frames(id_, {frame: ("NONE", 0.0)})
        return {"session": self.session}

    def choose(self, body: Json) -> Json:
        id_, frame = body["object_id"], int(body["frame"])
        prompted = next(each for each in self.find(id_)["prompts"] if int(each["prompt"]["frame"]) == frame)
        prompted.update(chosen=body["chosen"], revision=self.touch())
        self.masks[id_, frame] = self.candidates[body["chosen"]]
        self.set_frames(id_, {frame: ("KEY", 1.0)})
        return {"prompted": prompted, "revision": self.session["revision"]}

    def settings(self, body: Json) -> Json:
        self.session["settings"] = body["settings"]
        self.touch()
        return {"session": self.session}

    def range(self, body: Json) -> Json:
        self.session["range"] = body["range"]
        self.touch()
        return {"session": self.session}

    def engines(self) -> Json:
        names = {"segmenter": ["grabcut"], "propagator": ["tracker"], "inpainter": ["studio", "plate", "away"]}
        rows = [{"kind": kind, "name": name, "available": name != "away", "unavailable_reason": "", "licence": "MIT",
                 "commercial_use": True} for kind, found in names.items() for name in found]  # fmt: skip
        return {"models": rows}

    # ---- what runs

    def propagate(self, body: Json) -> Json:
        if not any(each["prompts"] for each in self.session["objects"]):
            raise RefusedError(409, "NO_KEY", "no object has a key yet; click on one")
        self.stops.clear()
        work = [(each["object_id"], frame) for each in self.session["objects"] if each["prompts"]
                for frame in self.wanted(each["object_id"], body)]  # fmt: skip
        self.session["run"] = {"kind": "PROPAGATE", "state": "RUNNING", "done_frame_count": "0",
                               "frame_count": str(len(work)), "frames_per_second": 0.0, "message": "",
                               "learned_update_count": "0", "update_count": "0", "notes": []}  # fmt: skip
        self.touch()
        threading.Thread(target=self.follow, args=(work,), daemon=True).start()
        return {"session": self.session}

    def wanted(self, id_: int, body: Json) -> list[int]:
        start = int(body.get("from_frame", 0))
        frames = {"FORWARD": range(start, self.shot.count), "BACKWARD": range(start, -1, -1)}
        known = self.tracks.get(id_, {})
        return [frame for frame in frames.get(body["direction"], range(self.shot.count))
                if known.get(frame, {"state": "NONE"})["state"] in ("NONE", "STALE", "HALF")]  # fmt: skip

    def follow(self, work: list[tuple[int, int]]) -> None:
        run = self.session["run"]
        for done, (id_, frame) in enumerate(work):
            if self.stops.wait(self.pace_seconds):
                break
            self.masks[id_, frame] = self.shot.disc(frame)
            run.update(done_frame_count=str(done + 1), frames_per_second=1 / max(0.001, self.pace_seconds))
            self.touch()
            self.set_frames(id_, {frame: ("FOLLOWED", 0.95 - 0.5 * (frame % 17) / 17)})
        run["state"] = "STOPPED" if self.stops.is_set() else "DONE"
        self.touch()

    def stop_run(self, body: Json) -> Json:
        self.stops.set()
        return {"session": self.session}

    def preview(self, body: Json) -> Json:
        return self.submit_job(preview=True, start=int(body["start_frame"]), count=body["frame_count"], name="")

    def submit(self, body: Json) -> Json:
        path = body.get("path", "")
        if path.endswith("taken.mov") and not body.get("overwrite"):
            raise RefusedError(
                409, "OUTPUT_EXISTS", "/media/taken.mov is there already; choose another name or replace it"
            )
        return self.submit_job(
            preview=False, start=0, count=self.shot.count, name=path.rpartition("/")[2] or "walker_clean.mov"
        )

    def submit_job(self, *, preview: bool, start: int, count: int, name: str) -> Json:
        job_name = f"jobs/job{len(self.jobs) + 1}"
        take = {"job": job_name, "preview": preview, "settings": self.session["settings"], "state": "PENDING",
                "file_name": name,
                "range": {"start_frame": str(start), "frame_count": str(count), "handle_frame_count": 0},
                "create_time": "2026-01-01T10:00:00Z", "engines": [], "message": ""}  # fmt: skip
        self.session["takes"].insert(0, take)
        self.jobs[job_name] = {
            "name": job_name,
            "state": "PENDING",
            "stages": [],
            "notes": [],
            "memory_estimate_bytes": str(3 << 29),
        }
        self.start_job(take)
        return {"job": self.jobs[job_name]}

    def start_job(self, take: Json) -> None:
        self.cancelled.discard(take["job"])
        self.touch()
        threading.Thread(target=self.work, args=(take,), daemon=True).start()

    def work(self, take: Json) -> None:
        job, count = self.jobs[take["job"]], int(take["range"]["frame_count"])
        job["stages"] = [{"stage": stage, "done_frame_count": "0", "frame_count": str(count), "frames_per_second": 0.0}
                         for stage in ("survey", "inpaint", "encode")]  # fmt: skip
        self.set_job(take, "RUNNING")
        for stage in job["stages"]:
            for done in range(count):
                time.sleep(self.pace_seconds)
                if take["job"] in self.cancelled:
                    return self.set_job(take, "CANCELLED")
                stage.update(done_frame_count=str(done + 1), frames_per_second=1 / max(0.001, self.pace_seconds))
                self.tell("job", job)
            if self.fails:
                job["error"], take["message"], self.fails = {"message": self.fails}, self.fails, ""
                return self.set_job(take, "FAILED")
        take.update(end_time="2026-01-01T10:00:09Z", unseen_share=0.012)
        take["engines"] = self.estimate({})["engines"]
        return self.set_job(take, "SUCCEEDED")

    def set_job(self, take: Json, state: str) -> None:
        take["state"] = self.jobs[take["job"]]["state"] = state
        self.touch()
        self.tell("job", self.jobs[take["job"]])

    def cancel(self, body: Json) -> Json:
        self.cancelled.add(body["job"])
        return {"job": self.jobs[body["job"]]}

    def resume(self, body: Json) -> Json:
        take = next(each for each in self.session["takes"] if each["job"] == body["job"])
        take["message"] = ""
        self.start_job(take)
        return {"job": self.jobs[body["job"]]}

    def estimate(self, body: Json) -> Json:
        engines = [("segmenter", "grabcut", "Apache-2.0", True), ("propagator", "tracker", "Apache-2.0", True),
                   ("inpainter", "studio", "CC-BY-NC-4.0", False)]  # fmt: skip
        rows = [{"kind": kind, "name": name, "licence": licence, "commercial_use": free, "weights_sha256": ""}
                for kind, name, licence, free in engines]  # fmt: skip
        known = len({frame for frames in self.tracks.values() for frame in frames})
        return {"memory_bytes": str(3 << 29), "allowed_memory_bytes": str(8 << 30), "duration_seconds": 95.0,
                "duration_measured": False, "engines": rows, "frame_count": str(self.shot.count),
                "unfollowed_frame_count": str(self.shot.count - known), "notes": []}  # fmt: skip

    def give_up(self, body: Json) -> Json:
        self.session["shot"]["state"] = "CANCELLED"
        self.touch()
        return {"session": self.session}

    def close(self, body: Json) -> Json:
        self.session["closed"] = True
        self.touch()
        return {"session": self.session}

    @property
    def verbs(self) -> dict[str, Callable[[Json], Json]]:
        return {"prepare": lambda body: {}, "object": self.object, "delete-object": self.delete_object,
                "prompt": self.prompt,
                "range": self.range,
                "clear": self.clear, "choose": self.choose, "settings": self.settings, "propagate": self.propagate,
                "shadows": self.propagate, "stop": self.stop_run, "estimate": self.estimate, "preview": self.preview,
                "submit": self.submit, "cancel-take": self.cancel, "resume-take": self.resume, "give-up": self.give_up,
                "close": self.close}  # fmt: skip

    # ---- pictures

    def picture(self, parts: list[str], query: dict[str, str]) -> bytes:
        time.sleep(self.frame_seconds)
        shot = self.shot
        match parts:
            case ["frames", frame]:
                if self.undecodable:
                    raise RefusedError(409, "DAMAGED_MEDIA", self.undecodable)
                return encoded(shot.plate(int(frame)), query)
            case ["takes", _, "frames", frame]:
                return encoded(shot.wall(), query)
            case ["masks", id_, frame]:
                return png(np.uint8(255) * self.known_mask(int(id_), int(frame)))
            case ["matte", frame]:
                grow = int(query.get("grow_px", 4))
                kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
                joined = np.uint8(255) * self.known_mask(0, int(frame))
                return png(np.asarray(cv2.dilate(joined, kernel), np.uint8))
            case ["unseen", frame]:
                return png(np.uint8(255) * shot.disc(int(frame), 0.5))
        raise RefusedError(404, "NO_SUCH_PLACE", f"there is nothing at {parts}")

    def known_mask(self, id_: int, frame: int) -> Mask:
        hidden = {each["object_id"] for each in self.session["objects"] if each["hidden"]}
        found = [mask for (each, at), mask in self.masks.items()
                 if at == frame and each not in hidden and id_ in (0, each)]  # fmt: skip
        if not found:
            raise RefusedError(404, "NO_MASK", f"frame {frame} has no mask yet")
        return np.asarray(np.logical_or.reduce(found))
