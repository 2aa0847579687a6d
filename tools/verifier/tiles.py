# SPDX-License-Identifier: Apache-2.0
"""Published tiles, held against those that the segments give (specification, section 5; C2SP tlog-tiles)."""

import re

from .stored import Unreadable
from .tree import leaf_hash, root_of

WIDTH = 256
ENTRIES = -1
LEVELS = range(ENTRIES, 6)
_PATH = re.compile(r"(entries|[0-5])/((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def parse_path(path):
    """(level, index, width) of a tile's path; None for another."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level = ENTRIES if match[1] == "entries" else int(match[1])
    tile = level, int(re.sub("[x/]", "", match[2])), int(match[3] or WIDTH)
    return tile if path_of(*tile) == path else None


def path_of(level, index, width):
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return f"{'entries' if level < 0 else level}/{'/'.join(groups)}{'' if width == WIDTH else f'.p/{width}'}"


def list_tiles(log):
    """Versions of tiles by place. They are derived, so the newest version of each counts."""
    prefix, tiles = f"log/{log.trust.origin}/tile/", {}
    for key in log.store.keys(prefix):
        newest, tile = log.store.versions[key][0], parse_path(key[len(prefix) :])
        if newest.marker or key == prefix + "checkpoint":
            continue
        if tile is None:
            log.findings.add("verify/version-unknown-key", "the path of a tile", key=key)
        else:
            tiles[tile] = newest
    return tiles


def judge_tiles(log, tiles, checkpoint):
    """`log.leaves` are the leaf hashes from the first on, up to where leaves are missing."""
    levels = [log.leaves]
    while len(levels[-1]) >= WIDTH:
        full = len(levels[-1]) // WIDTH
        levels.append([root_of(levels[-1][at * WIDTH : (at + 1) * WIDTH]) for at in range(full)])
    whole = len(log.leaves) == log.size
    for (level, index, width), version in tiles.items():
        hashes = levels[max(level, 0)] if level < len(levels) else []
        given = hashes[index * WIDTH : (index + 1) * WIDTH]
        if len(given) < WIDTH and not whole:
            continue
        if width <= len(given):
            _judge(log, level, version, given[:width])
        elif log.tree is not None:
            log.findings.add("verify/tile-ahead", f"tiles of {log.size} leaves at most", "more hashes", key=version.key)
    if checkpoint and checkpoint[0] <= log.size:
        _missing(log, tiles, checkpoint[0])


def _judge(log, level, version, hashes):
    try:
        same = _holds(version.read(), hashes) if level < 0 else version.read() == b"".join(hashes)
    except Unreadable as problem:
        log.findings.add("verify/reader-failed", "the bytes that are listed", str(problem), key=version.key)
    else:
        if not same:
            log.findings.add("verify/tile-other", "what the segments give", "other bytes", key=version.key)


def _holds(bundle, hashes):
    """True if the entries of a bundle, each behind its length in two bytes, have exactly these leaf hashes."""
    at = 0
    for expected in hashes:
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or leaf_hash(bundle[at + 2 : end]) != expected:
            return False
        at = end
    return at == len(bundle)


def _missing(log, tiles, size):
    for level in LEVELS:
        full, rest = divmod(size // WIDTH ** max(level, 0), WIDTH)
        for index in range(full + (rest > 0)):
            width = WIDTH if index < full else rest
            if (level, index, width) not in tiles and (level, index, WIDTH) not in tiles:
                key = f"log/{log.trust.origin}/tile/{path_of(level, index, width)}"
                log.findings.add("verify/tile-missing", "a tile", "none", key=key)
