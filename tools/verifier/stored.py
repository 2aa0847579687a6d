# SPDX-License-Identifier: Apache-2.0
"""What lies in the store: a folder, or a folder with a listing of versions and locks, and whether it is what the log names (section 9)."""

import hashlib
import json
import os
import re

from .form import Malformed, is_time, seconds
from .tree import open_checkpoint

_NUMBER, _HASH = "[0-9]{16}", "[0-9a-f]{64}"
FOLDERS = {"segment": _NUMBER, "heads": _NUMBER, "pack": _HASH}
BESIDE = ("tile/", "tsa/", "witness/")
MOST_NOTE_BYTES = 1_000_000


class Unreadable(Exception):
    """The store does not give what it lists."""


class Version:
    def __init__(self, key, size, path, marker=False, lock=None):
        self.key, self.size, self.path, self.marker, self.lock = key, size, path, marker, lock

    def chunks(self):
        try:
            with open(self.path, "rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk
        except OSError as problem:
            raise Unreadable(problem.strerror) from None

    def read(self):
        return b"".join(self.chunks())


class Store:
    """Versions of every key, newest first. Without a listing each file is the only version of its key, and locks cannot be seen."""

    def __init__(self, folder, listing=None):
        self.versions, self.sees_locks = {}, listing is not None
        if not os.path.isdir(folder):
            raise Unreadable("no folder")
        found = self._listed(folder, listing) if listing else self._walked(folder)
        for version in found:
            self.versions.setdefault(version.key, []).append(version)

    @staticmethod
    def _walked(folder):
        for path, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                full = os.path.join(path, name)
                if not name.startswith(".") and not os.path.islink(full):
                    yield Version(os.path.relpath(full, folder).replace(os.sep, "/"), os.path.getsize(full), full)

    @staticmethod
    def _listed(folder, listing):
        with open(listing, encoding="utf-8") as lines:
            for line in lines:
                item = json.loads(line)
                path = os.path.join(folder, item.get("file", item["key"]))
                yield Version(item["key"], item["size"], path, item.get("marker", False), item.get("lock"))

    def first(self, key):
        """The version that counts: the last in the order of listing."""
        return next((version for version in reversed(self.versions.get(key, [])) if not version.marker), None)

    def newest(self, key):
        return next((version for version in self.versions.get(key, []) if not version.marker), None)

    def keys(self, prefix):
        return sorted(key for key in self.versions if key.startswith(prefix))


def survey(store, origin, findings, is_rival):
    """Judges names and versions. Gives the first leaves of all segments, ascending."""
    log, leaves = f"log/{origin}/", []
    for key in store.keys("media/"):
        if not re.fullmatch(f"media/([0-9a-f]{{2}})/\\1[0-9a-f]{{62}}", key):
            findings.add("verify/version-unknown-key", "media/<two digits>/<sha256>", key=key)
        else:
            _judge_versions(store, key, findings, is_rival)
    for key in store.keys(log):
        name = key[len(log) :]
        folder, _, rest = name.partition("/")
        if name == "checkpoint" or name.startswith(BESIDE):
            continue
        if folder not in FOLDERS or not re.fullmatch(FOLDERS[folder], rest):
            findings.add("verify/version-unknown-key", "a name of the layout", key=key)
            continue
        _judge_versions(store, key, findings, is_rival)
        if folder == "segment" and store.first(key):
            leaves.append(int(rest))
    return leaves


def _judge_versions(store, key, findings, is_rival):
    *later, first = store.versions[key]
    if first.marker:
        later, first = store.versions[key], None
    for version in later:
        if version.marker:
            findings.add("verify/version-delete-marker", "no delete marker", key=key)
        elif first is not None and version.size == first.size and version.read() == first.read():
            findings.add("verify/version-identical", "one version", key=key)
        elif first is not None and "/segment/" in key and is_rival(version, first):
            findings.add("verify/version-losing-segment", "one version", key=key)
        elif first is not None:
            findings.add("verify/version-other-bytes", "no version with other bytes", key=key)


def newest_checkpoint(log, name, unsigned):
    """(size, root) of a checkpoint that is published under a name, or None."""
    version = log.store.newest(f"log/{log.trust.origin}/{name}")
    if version is None:
        return None
    try:
        if version.size > MOST_NOTE_BYTES:
            raise Malformed("a signed note")
        return open_checkpoint(version.read(), log.trust.log)
    except Malformed as problem:
        log.findings.add(unsigned, str(problem), key=version.key)
    except Unreadable as problem:
        log.findings.add("verify/reader-failed", "the bytes that are listed", str(problem), key=version.key)
    return None


class Payloads:
    """Packs, objects and heads that the log names, held against the store at the end."""

    def __init__(self, store, origin, findings, disposed):
        self.store, self.findings, self.folder, self.disposed = store, findings, f"log/{origin}/", disposed
        self.packs, self.objects, self.heads, self.segments = {}, {}, set(), {}
        self.locks = False
        # Objects that later logs of this store name.
        self.named = set()

    def name_pack(self, entry, bodies, lock, leaf):
        self.packs.setdefault(entry["h"], (entry["n"], bodies, lock, leaf))

    def name_object(self, ref, mode, until, leaf):
        size, _, lock, first = self.objects.get(ref["h"], (ref["n"], None, (mode, 0), leaf))
        self.objects[ref["h"]] = (ref["n"] if size == ref["n"] else size, None, (mode, max(until, lock[1])), first)
        if size != ref["n"]:
            self.findings.add("verify/object-size", f"{size} bytes", str(ref["n"]), leaf=leaf)

    def check(self, whole, last=True):
        """`last`: no log that is read after this one may name objects."""
        for name, named in self.packs.items():
            self._one("pack", f"{self.folder}pack/{name}", name, *named)
        for name, named in self.objects.items():
            self._one("object", f"media/{name[:2]}/{name}", name, *named)
        for key, lock in self.segments.items():
            self.judge_lock(self.store.first(key), lock)
        if whole:
            self._orphans("pack", f"{self.folder}pack/", _HASH, self.packs)
            if last:
                self._orphans("object", "media/", "[0-9a-f]{2}/" + _HASH, self.objects.keys() | self.named)
            self._orphans("heads", f"{self.folder}heads/", _NUMBER, self.heads)

    def _one(self, kind, key, name, size, bodies, lock, leaf):
        version, where = self.store.first(key), {"leaf": leaf, "key": key}
        if version is None:
            code = f"verify/{kind}-{'disposed' if name in self.disposed else 'missing'}"
            return self.findings.add(code, "an object", "none", **where)
        self.judge_lock(version, lock)
        if version.size != size:
            return self.findings.add(f"verify/{kind}-size", f"{size} bytes", f"{version.size}", **where)
        try:
            self._bytes(kind, version, name, bodies, where)
        except Unreadable as problem:
            self.findings.add("verify/reader-failed", "the bytes that are listed", str(problem), **where)
        return None

    def _bytes(self, kind, version, name, bodies, where):
        whole, held = hashlib.sha256(), bytearray()
        for chunk in version.chunks():
            whole.update(chunk)
            if bodies is not None:
                held += chunk
        if whole.hexdigest() != name:
            return self.findings.add(f"verify/{kind}-hash", name, whole.hexdigest(), **where)
        at = 0
        for body in bodies or ():
            if hashlib.sha256(held[at : at + body["n"]]).hexdigest() != body["h"]:
                self.findings.add("verify/pack-body", body["h"], "other bytes", **where)
            at += body["n"]

    def judge_lock(self, version, needed):
        if not (self.locks and self.store.sees_locks) or version is None:
            return
        (mode, until), lock = needed, version.lock
        if lock is None:
            self.findings.add("verify/lock-missing", "a lock", "none", key=version.key)
        elif mode == "COMPLIANCE" and lock["mode"] != mode:
            self.findings.add("verify/lock-mode", mode, lock["mode"], key=version.key)
        elif not is_time(lock["until"]) or seconds(lock["until"]) < until:
            self.findings.add("verify/lock-short", "a lock for as long as what it protects", key=version.key)

    def _orphans(self, kind, prefix, pattern, named):
        for key in self.store.keys(prefix):
            rest = key[len(prefix) :]
            if re.fullmatch(pattern, rest) and rest.rpartition("/")[2] not in named and self.store.first(key):
                if kind != "object" or rest[:2] == rest[3:5]:
                    self.findings.add(f"verify/{kind}-orphan", "an entry that names it", "none", key=key)
