# SPDX-License-Identifier: Apache-2.0
"""Streams: chains, generations, what records say of others, and silence (specification, sections 2, 3 and 7)."""

import hashlib

from .form import DAY, seconds

MOST_SILENT = 7200
MOST_SKEW = 300


def genesis_of(origin, stream):
    return hashlib.sha256(f"holdfast stream v1\n{origin}\n{stream}".encode()).hexdigest()


class Stream:
    def __init__(self, opened=None):
        self.opened = opened
        self.key = opened and opened["key"]
        self.seq, self.id, self.leaf, self.at, self.closed = -1, None, 0, None, False
        self.sure = opened is not None
        """False where a record before the next could not be read: its number and link are not held against it."""
        self.ids, self.holes, self.sealed = {}, [], None
        self.part, self.beats, self.lives, self.ends = None, 0, [], []

    def id_at(self, seq):
        """The record's id; False where it is lost or was not read; None where the log has none."""
        if seq in self.ids:
            return self.ids[seq]
        if any(first <= seq < end for first, end in self.holes):
            return False
        return None if seq > self.seq else False


class Streams:
    def __init__(self, origin, findings):
        self.origin, self.findings = origin, findings
        self.all, self.accounts = {}, {}
        self.claims, self.foreign, self.gaps, self.gap_ids, self.listed = [], [], [], {}, {}
        self.whole, self.newest = True, 0

    def lose_sight(self):
        """Leaves are missing: what comes next is not held against what is not there."""
        self.whole = False
        for stream in self.all.values():
            stream.sure = False

    def unread(self, name):
        """A record of this stream could not be read."""
        self.all.setdefault(name, Stream()).sure = False

    def take(self, entry, leaf, record_id):
        name, where = entry["stream"], {"leaf": leaf, "stream": entry["stream"], "seq": entry["seq"]}
        stream = self.all.get(name)
        if entry["t"] == "open" and stream is None:
            stream = self.all[name] = Stream(entry)
            self._open(entry, where)
        elif stream is None:
            if self.whole:
                return self.findings.add("verify/stream-unopened", "an `open` first", **where)
            stream = self.all[name] = Stream()
        self._follow(stream, entry, where)
        self._account(stream, entry, where)
        self._advance(stream, entry, leaf, record_id)
        if entry["t"] == "beat":
            self._beat(stream, entry, where)
        if entry["t"] == "gap":
            self.gap_ids[record_id] = entry
            self.gaps.append((entry, record_id, where))
        if "last" in entry and entry["t"] in ("open", "gap"):
            self.claims.append((entry["last"], stream, None, where))
        return None

    def _open(self, entry, where):
        earlier = self.accounts.setdefault(entry["acct"], [])
        if earlier:
            top = max(stream.opened["gen"] for stream in earlier)
            if entry["gen"] <= top:
                self.findings.add("verify/stream-generation", f"above {top}", str(entry["gen"]), **where)
            if "last" not in entry:
                self.findings.add("verify/stream-no-last", "the earlier stream’s end", "none", **where)
        else:
            top = -1
        if entry["gen"] > max(top + 1, seconds(entry["at"]) + DAY) and self.whole:
            self.findings.add("verify/stream-generation-far", "near the time or the last one", str(entry["gen"]), **where)
        for stream in earlier:
            stream.ends.append(seconds(entry["at"]))
        earlier.append(self.all[entry["stream"]])

    def _follow(self, stream, entry, where):
        if not stream.sure:
            return
        if stream.closed:
            self.findings.add("verify/stream-closed", "nothing after `close`", entry["t"], **where)
        prev = genesis_of(self.origin, entry["stream"]) if stream.id is None else stream.id
        if entry["seq"] != stream.seq + 1:
            self.findings.add("verify/stream-sequence", str(stream.seq + 1), str(entry["seq"]), **where)
        elif entry["prev"] != prev:
            self.findings.add("verify/stream-chain", prev, entry["prev"], **where)

    def _account(self, stream, entry, where):
        """A stream that goes on after the account opened a newer one under another key. Its late tail and its `close` may come."""
        if stream.opened is None or entry["t"] == "close":
            return
        newest = max(self.accounts[stream.opened["acct"]], key=lambda other: other.opened["gen"])
        late = seconds(entry["at"]) > seconds(newest.opened["at"]) + MOST_SKEW
        if newest.key != stream.key and newest.opened["gen"] > stream.opened["gen"] and late:
            self.findings.add("verify/stream-parallel", "one key for an account at a time", entry["at"], **where)

    def _advance(self, stream, entry, leaf, record_id):
        if stream.at is not None and stream.sure and entry["at"] < stream.at:
            self.findings.add("verify/clock-back", stream.at, entry["at"], leaf=leaf)
        stream.sure = True
        stream.leaf, stream.at = leaf, entry["at"]
        if entry["t"] == "close":
            stream.closed = True
            stream.ends.append(seconds(entry["at"]))
        if entry["t"] == "hole":
            self.findings.add("verify/stream-hole", "every record", f"{entry['count']} lost", leaf=leaf)
            stream.seq, stream.id = entry["seq"] + entry["count"] - 1, entry["last"]
            stream.holes.append((entry["seq"], stream.seq))
            stream.ids[stream.seq] = entry["last"]
        else:
            stream.seq, stream.id = entry["seq"], record_id
            stream.ids[entry["seq"]] = record_id

    def _beat(self, stream, entry, where):
        number, most = entry["part"]
        if number == 1:
            if stream.part is not None:
                self.findings.add("verify/beat-parts", "the next part", "part 1", **where)
            stream.part = Beat(most, seconds(entry["at"]))
            stream.beats += 1
        beat = stream.part
        if beat is None and not self.whole:
            return
        if beat is None or (number, most) != (beat.have + 1, beat.most):
            self.findings.add("verify/beat-parts", "all parts in their order", f"part {number} of {most}", **where)
            stream.part = None
            return
        beat.have = number
        for name, seq, record_id in entry["heads"]:
            if beat.streams and name <= beat.streams[-1]:
                self.findings.add("verify/beat-parts", "streams in ascending order", name, **where)
            beat.streams.append(name)
            self.claims.append(({"stream": name, "seq": seq, "id": record_id}, stream, stream.beats, where))
        if number == most:
            stream.part = None
            self._whole_beat(stream, beat, where)

    def _whole_beat(self, process, beat, where):
        accounts = set()
        for name in beat.streams:
            listed = self.all.get(name)
            if listed and listed.opened:
                accounts.add(listed.opened["acct"])
            if listed and listed.opened and process.key and listed.key != process.key:
                self.findings.add("verify/beat-foreign-stream", "streams of its own key", name, **where)
            else:
                self.listed.setdefault(name, []).append(beat.at)
        process.lives.append((beat.at, accounts))

    # --- At the end of the log --------------------------------------------------------------------------------------------------

    def finish(self, readers, followed=False, later=None):
        """`readers` are the keys that hold no capture, so that their silence loses nothing. `followed`: there is a log before this one. `later`: streams of the log that goes on."""
        self.later = later
        for head, teller, number, where in self.claims:
            if followed and number is None and head["stream"] not in self.all:
                self.foreign.append((head, teller, number, where))
            else:
                self._judge_claim(head, teller, number, where)
        for entry, _, where in self.gaps:
            if "ref" in entry and entry["ref"] not in self.gap_ids and self.whole and not followed:
                self.findings.add("verify/gap-reference", "the gap that this one ends", entry["ref"], **where)
        for name, stream in self.all.items():
            if stream.opened and stream.key not in readers:
                self._silence(name, stream)

    def _judge_claim(self, head, teller, number, where):
        """`number` is that of the beat that says so; None where a record names the stream before its own."""
        stream = self.all.get(head["stream"])
        if number is None and stream and stream.opened and teller.opened and stream.opened["acct"] != teller.opened["acct"]:
            return self.findings.add("verify/stream-last-account", "a stream of the same account", **where)
        found = stream.id_at(head["seq"]) if stream else None
        if found is False or (found is None and not self.whole):
            if not self.whole:
                self.findings.add("verify/claim-uncompared", "a record that could be read", **where)
        elif found is None:
            missing = "beat-ahead" if number == teller.beats else "beat-records-missing"
            code = "stream-tail-missing" if number is None else missing
            self.findings.add(f"verify/{code}", f"{head['stream']} {head['seq']}", "none", **where)
        elif found != head["id"]:
            code = "stream-tail-other" if number is None else "beat-head-other"
            self.findings.add(f"verify/{code}", head["id"], found, **where)
        return None

    def _silence(self, name, stream):
        """From a stream's `open` to its end: every stretch between two signs of life."""
        process = stream.opened["role"] == "process"
        if not process and stream.opened["app"] == "holdfast":
            return
        signs = stream.lives if process else [(at, set()) for at in self.listed.get(name, [])]
        begin, end = seconds(stream.opened["at"]), min(self.newest, *stream.ends) if stream.ends else self._end(stream.opened["acct"])
        last, accounts = begin, set()
        for at, listed in [*signs, (end, set())]:
            concerned = accounts | {stream.opened["acct"]}
            gaps = sorted(self._covered(concerned) + (self.later._covered(concerned) if self.later else []))
            if _longest(last, at, gaps) > MOST_SILENT:
                code = "verify/silence-process" if process else "verify/silence-stream"
                self.findings.add(code, f"a beat within {MOST_SILENT} s", f"{at - last} s", leaf=stream.leaf, stream=name)
            last, accounts = max(last, at), listed

    def _end(self, acct):
        """The end of the log, or when the log that goes on took the account over."""
        if self.later is None:
            return self.newest
        opened = [seconds(stream.opened["at"]) for stream in self.later.accounts.get(acct, [])]
        return max(self.newest, min(opened, default=self.later.newest))

    def _covered(self, accounts):
        """Times for which gaps over whole accounts say why nothing came."""
        spans, ended = [], {entry.get("ref") for entry, _, _ in self.gaps}
        for entry, record_id, where in self.gaps:
            teller = self.all[where["stream"]].opened
            if entry["scope"] != "account" or not teller or teller["acct"] not in accounts:
                continue
            at, begin = seconds(entry["at"]), entry.get("from")
            if entry["state"] == "open":
                spans.append((seconds(begin) if begin else at, at if record_id in ended else self.newest))
            else:
                begin = begin or self._beginning(entry.get("ref"))
                spans += [(seconds(begin), seconds(entry.get("to", entry["at"])))] if begin else []
        return sorted(spans)

    def _beginning(self, ref):
        opened = self.gap_ids.get(ref)
        return opened and opened.get("from", opened["at"])


class Beat:
    """A beat of which not all parts have come."""

    def __init__(self, most, at):
        self.most, self.at, self.have, self.streams = most, at, 0, []


def _longest(begin, end, covered):
    """The longest stretch between two times that no span covers."""
    longest, at = 0, begin
    for first, last in covered:
        if first >= end:
            break
        longest = max(longest, first - at)
        at = max(at, last)
    return max(longest, end - at)
