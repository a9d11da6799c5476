"""The work of a page in its project folder: every change on disk before it is answered, masks shortly after.

A change names the objects it puts and drops by ids that the browser made. So a change that is sent twice, because its
answer was lost, does no harm, and two tabs on one picture add up: neither sends the whole picture.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sightline.data.masks.project import (
    MASKS,
    MOST_CLASSES,
    OBJECTS,
    PictureWork,
    ProjectClass,
    ProjectFolder,
    ProjectObject,
    ProjectSettings,
    Rle,
    State,
)
from sightline.data.masks.project_import import Existing
from sightline.errors import DataError
from sightline.files import check_writable, locked, sweep
from sightline.files.lock import NAME as LOCK
from sightline.run_lengths import encode_rle
from sightline.web.problem import Problem

QUIET = 0.5  # seconds without a change, after which the mask of a picture is written
MOST_OBJECTS = 5000  # of one picture; beyond it a page is no help
COLORS = (
    "#3478d4", "#d1702a", "#2f9158", "#9463c9", "#d14a5a", "#21929a", "#cf5c9f", "#8f8526", "#a0694b", "#75808f",
)  # fmt: skip
logger = logging.getLogger("sightline.web")


class Keeper:
    """Keeps the work of one project; safe to use from several threads.

    Nothing is written before there is something to keep, so that who only looks leaves nothing behind.

    Args:
        folder: of the project.
        pictures: the folder that the pictures are in.
        classes: (name, "#rrggbb") that a new project begins with; names that an old one lacks are added to it.

    Raises:
        DataError: the folder holds something else, or a project of other pictures.
        RunError: another server works in it.
    """

    def __init__(self, folder: Path, pictures: Path, classes: Sequence[tuple[str, str]] = ()) -> None:
        self.folder = ProjectFolder(folder)
        self.pictures = pictures
        self._lock = threading.RLock()
        self._held = ExitStack()
        self._stale: dict[str, None] = {}  # pictures whose mask is to be written, in order
        self._wake, self._closed = threading.Condition(self._lock), False
        self._writer: threading.Thread | None = None
        self._works: dict[str, tuple[State, int]] = {}
        self._begun = False
        try:
            self.settings = self._open(classes)
            if self._stale:
                self._start_writer()
        except BaseException:
            self._held.close()
            raise

    def _open(self, classes: Sequence[tuple[str, str]]) -> ProjectSettings:
        settings = ProjectSettings(pictures=self.folder.relative(self.pictures))
        if self.folder.exists:
            settings = self.folder.settings
            if self.folder.pictures.resolve() != self.pictures.resolve():
                raise DataError(
                    f"{self.folder.path}: is the project of the pictures in {self.folder.pictures}, not of those in "
                    f"{self.pictures}; give another --project, or, if they were moved, say so in project.json "
                    '("pictures")'
                )
            self._begin()
            for work in self.folder.works():
                self._works[work.picture] = (work.state, len(work.objects))
                if not self.folder.mask_is_current(work):
                    self._stale[work.picture] = None
        elif not self.folder.is_free:
            raise DataError(f"{self.folder.path}: is there already and is no project; give another --project")
        else:
            try:
                check_writable(self.folder.path)
            except PermissionError as error:
                raise DataError(
                    f"{self.folder.path}: may not be written, and is where the work on these pictures would be kept; "
                    "give another place as --project"
                ) from error
        known = {item.name for item in settings.classes}
        for name, color in classes:
            if name not in known:
                settings = _with_class(settings, name, color)
        if self.folder.exists and settings != self.folder.settings:
            self.folder.write_settings(settings)
        return settings

    # -- reading
    def work(self, picture: str) -> PictureWork | None:
        """Return what was done to a picture, None where nothing was.

        Raises:
            DataError: its file is damaged.
        """
        with self._lock:
            return self.folder.work(picture)

    def state(self, picture: str) -> tuple[State, int]:
        """Return how far a picture is, and how many objects it has."""
        return self._works.get(picture, ("untouched", 0))

    # -- writing
    def change(
        self,
        picture: str,
        size: tuple[int, int],
        *,
        put: Sequence[ProjectObject] = (),
        drop: Sequence[str] = (),
        order: Sequence[str] = (),
        state: State | None = None,
    ) -> tuple[int, PictureWork]:
        """Change the work on a picture; it is on disk when this returns.

        Args:
            picture: its path below the folder of the pictures.
            size: its height and width.
            put: objects to add, or to take the place of those of their ids.
            drop: ids of objects to remove.
            order: ids of objects as they lie, the last on top; others stay below them.
            state: how far it is now; None: begun, where it was untouched or skipped and objects are put.

        Returns:
            The revision before, and the work as it is now.

        Raises:
            DataError: the picture has another size than what was drawn on it.
            Problem: a class that is not there, or too many objects.
        """
        with self._lock:
            self._begin()
            before = self.folder.work(picture)
            work = before or PictureWork(picture=picture, height=size[0], width=size[1])
            if (work.height, work.width) != size:
                raise DataError(
                    f"{picture}: has {size[1]} × {size[0]} pixels now, and what was drawn on it {work.width} × "
                    f"{work.height}; bring the old picture back, or move its file out of the project's {OBJECTS}/"
                )
            known = {0, 255, *(item.value for item in self.settings.classes)}
            if strange := next((item.value for item in put if item.value not in known), None):
                raise Problem(400, f"There is no class of value {strange} in this project.")
            objects = _laid({item.id: item for item in work.objects}, put, drop, order)
            if len(objects) > MOST_OBJECTS:
                raise Problem(413, f"A picture holds {MOST_OBJECTS:,} objects at most.")
            work = work.model_copy(
                update={"objects": objects, "revision": work.revision + 1, "state": state or _state(work, objects)}
            )
            self.folder.write_work(work)
            self._works[picture] = (work.state, len(work.objects))
            self._stale.pop(picture, None)
            self._stale[picture] = None
            self._start_writer()
            return work.revision - 1, work

    def add_class(self, name: str, color: str | None) -> ProjectClass:
        """Add a class and return it; one of this name that is there already is returned as it is.

        Raises:
            Problem: there is no value left.
        """
        with self._lock:
            if known := next((item for item in self.settings.classes if item.name == name), None):
                return known
            self._begin()
            self.settings = _with_class(self.settings, name, color)
            self.folder.write_settings(self.settings)
            return self.settings.classes[-1]

    def change_class(self, changed: ProjectClass) -> None:
        """Give a class another name or color; all masks are written again with it.

        Raises:
            Problem: there is none of its value, or another has the name.
        """
        with self._lock:
            classes = {item.value: item for item in self.settings.classes}
            if changed.value not in classes:
                raise Problem(404, f"There is no class of value {changed.value} in this project.")
            if any(item.name == changed.name and item.value != changed.value for item in classes.values()):
                raise Problem(
                    409, f"Another class is called {changed.name!r}; two of one name could not be told apart."
                )
            if classes[changed.value] == changed:
                return
            self._begin()
            classes[changed.value] = changed
            self.settings = self.settings.model_copy(update={"classes": tuple(classes.values())})
            self.folder.write_settings(self.settings)
            self._stale |= dict.fromkeys(self._works)
            self._start_writer()

    def take_in(self, existing: Existing) -> tuple[int, int]:
        """Take masks that exist already as the objects of the pictures that nothing was done to.

        Returns:
            How many pictures took theirs, and how many were passed over because something was done to them.

        Raises:
            DataError: a mask that cannot be read, or does not fit its picture; those before it are kept.
        """
        taken = 0
        colors = dict(zip(existing.palette.classes, existing.palette.rgb, strict=True))
        for picture in existing.pairs:
            if self.folder.work(picture) is not None:
                continue
            put, size = [], None
            for name, value, mask in existing.parts(picture):
                value = value if value >= 0 else self.add_class(name[:80], hex_of(colors[name])).value
                rle, size = Rle(**encode_rle(mask)), (mask.shape[0], mask.shape[1])
                put.append(ProjectObject(id=secrets.token_hex(8), value=value, mask=rle))
            if size is not None:
                self.change(picture, size, put=put, order=[item.id for item in put])
                taken += 1
        return taken, len(existing.pairs) - taken

    def close(self) -> None:
        """Write the masks that are still to be written, and let go of the folder."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
            writer = self._writer
        if writer is not None:
            writer.join()
        with self._lock:
            self._held.close()

    # -- parts
    def _begin(self) -> None:
        """Take hold of the folder, and make it a project's, on first need."""
        if self._closed:
            raise Problem(503, "The server stops.")
        if self._begun:
            return
        self._held.enter_context(locked(self.folder.path / LOCK, f"project {self.folder.path}"))
        sweep(self.folder.path)
        self._begun = True
        if not self.folder.exists:
            self.folder.write_settings(self.settings)

    def _start_writer(self) -> None:
        with self._wake:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_masks, name="sightline-masks", daemon=True)
                self._writer.start()
            self._wake.notify_all()

    def _write_masks(self) -> None:
        while True:
            with self._wake:
                while not self._stale and not self._closed:
                    self._wake.wait()
                # A picture that is being worked on is written once its changes pause.
                while not self._closed and self._wake.wait(QUIET):
                    pass
                if not self._stale:
                    return
                picture = next(iter(self._stale))
                del self._stale[picture]
            self._write_mask(picture)

    def _write_mask(self, picture: str) -> None:
        try:
            with self._lock:
                work, settings = self.folder.work(picture), self.settings
            if work is not None:
                self.folder.write_mask(work, settings)
        except (OSError, DataError) as error:
            # The objects are kept; the mask is written again when the project is next opened.
            logger.error("%s: its mask in %s/ could not be written (%s)", picture, MASKS, error)


def hex_of(color: tuple[int, int, int]) -> str:
    """Return a color as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def _laid(
    objects: dict[str, ProjectObject], put: Sequence[ProjectObject], drop: Sequence[str], order: Sequence[str]
) -> tuple[ProjectObject, ...]:
    for key in drop:
        objects.pop(key, None)
    objects |= {item.id: item for item in put}
    place = {key: i for i, key in enumerate(order)}
    return tuple(sorted(objects.values(), key=lambda item: place.get(item.id, -1)))


def _state(work: PictureWork, objects: Sequence[ProjectObject]) -> State:
    if work.state == "begun" and not objects:
        return "untouched"
    return "begun" if objects and work.state in ("untouched", "skipped") else work.state


def _with_class(settings: ProjectSettings, name: str, color: str | None) -> ProjectSettings:
    value = 1 + max((item.value for item in settings.classes), default=0)
    if value > MOST_CLASSES:
        raise Problem(413, f"A project has {MOST_CLASSES} classes at most.")
    used = {item.color for item in settings.classes}
    free = next((shade for shade in COLORS if shade not in used), COLORS[value % len(COLORS)])
    made = ProjectClass(value=value, name=name, color=color or free)
    return settings.model_copy(update={"classes": (*settings.classes, made)})
