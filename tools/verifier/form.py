# SPDX-License-Identifier: Apache-2.0
"""Text forms of the format: canonical JSON, times, periods, base64, and the grammar of entries (specification, sections 1 and 2)."""

import base64 as _base64
import binascii
import hashlib
import json
import re

MAX_ENTRY_BYTES = 4096
MAX_BODY_BYTES = 65536
MAX_DEPTH = 128


class Malformed(Exception):
    """Bytes that are not in the form they should have. The text says what was expected."""


def sha256_hex(data):
    return hashlib.sha256(data).hexdigest()


def unbase64(text, length=None):
    """Base64 in its one canonical spelling."""
    try:
        raw = _base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Malformed("base64") from None
    if _base64.b64encode(raw).decode() != text or (length is not None and len(raw) != length):
        raise Malformed("canonical base64" + (f" of {length} bytes" if length else ""))
    return raw


def base64(raw):
    return _base64.b64encode(raw).decode()


# --- JSON ---------------------------------------------------------------------------------------------------------------------


def _integer(text):
    number = int(text) if len(text) <= 16 else 10**15
    if abs(number) >= 10**15:
        raise Malformed("integers below 10^15")
    return number


def _refuse(_text):
    raise Malformed("strings, integers, booleans, null, arrays and objects")


def canonical(value):
    """RFC 8785 for what the format writes: no number but integers."""
    return _write(value).encode("utf-8")


def _write(value):
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_write(name)}:{_write(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def parse_canonical(raw, members=None):
    """Parses JSON that must be canonical; with `members`, an object of exactly these."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse)
        if _depth(text) > MAX_DEPTH or canonical(value) != raw:
            raise Malformed("canonical JSON")
    except (ValueError, RecursionError):
        raise Malformed("canonical JSON") from None
    if members is not None and (not isinstance(value, dict) or sorted(value) != sorted(members)):
        raise Malformed("an object with the members " + ", ".join(members))
    return value


def _depth(text):
    depth = most = 0
    for char in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (char in "[{") - (char in "]}")
        most = max(most, depth)
    return most


# --- Times and periods --------------------------------------------------------------------------------------------------------

_TIME = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_PERIOD = re.compile(r"P(?:([1-9][0-9]{0,3})Y)?(?:([1-9][0-9]{0,3})M)?(?:([1-9][0-9]{0,4})D)?")
DAY = 86400


def is_time(text):
    return isinstance(text, str) and re.fullmatch(_TIME, text) is not None


def _days(year, month, day):
    """Days since 1970-01-01 in the Gregorian calendar; a day beyond its month counts on into the next."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year + day - 1 - 719468


def seconds(text):
    """Seconds since 1970 of a time."""
    date = _days(int(text[0:4]), int(text[5:7]), int(text[8:10]))
    return date * DAY + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


def add_period(at, period):
    """Seconds of a time plus a period. A day that the target month lacks is its last; days are added after that."""
    match = _PERIOD.fullmatch(period)
    years, months, days = (int(part or 0) for part in match.groups())
    whole, rest = divmod(at, DAY)
    year, month, day = _civil(whole)
    count = year * 12 + month - 1 + years * 12 + months
    year, month = count // 12, count % 12 + 1
    next_year, next_month = (count + 1) // 12, (count + 1) % 12 + 1
    last = _days(next_year, next_month, 1) - 1
    return (min(_days(year, month, day), last) + days) * DAY + rest


def _civil(days):
    days += 719468
    era, of_era = divmod(days, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


# --- The grammar of entries ---------------------------------------------------------------------------------------------------

ORIGIN = r"[a-z0-9][a-z0-9.-]{0,63}(?:/[a-z0-9][a-z0-9.-]{0,63}){0,7}"
RESERVED = {"heads", "media", "pack", "segment", "tile", "tsa", "witness"}


def is_origin(text):
    return isinstance(text, str) and re.fullmatch(ORIGIN, text) is not None and not RESERVED & set(text.split("/"))


def _word(*words):
    return '"(?:' + "|".join(words) + ')"'


def _list(item, most):
    return rf"\[{item}(?:,{item}){{0,{most - 1}}}\]"


def _object(fields):
    parts = []
    for index, name in enumerate(sorted(fields, key=lambda name: name.rstrip("?"))):
        member = ("," if index else "") + f'"{name.rstrip("?")}":{fields[name]}'
        parts.append(f"(?:{member})?" if name.endswith("?") else member)
    return r"\{" + "".join(parts) + r"\}"


_HEX128, _HEX256, _INT = '"[0-9a-f]{32}"', '"[0-9a-f]{64}"', "(?:0|[1-9][0-9]{0,14})"
_AT, _LOG = f'"{_TIME}"', f'"{ORIGIN}"'
_CLASS, _TEXT, _SIG = '"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"', r'"[ !#-\[\]-~]{1,200}"', '"[A-Za-z0-9+/]{85}[AQgw]=="'
_SPAN, _BOOL = '"P(?:[1-9][0-9]{0,3}Y)?(?:[1-9][0-9]{0,3}M)?(?:[1-9][0-9]{0,4}D)?"', "(?:true|false)"
_REF, _HEAD = _object({"h": _HEX256, "n": _INT}), _object({"id": _HEX256, "seq": _INT, "stream": _HEX128})
_PAIR = rf"\[{_INT},{_INT}\]"
_BY = _list(_object({"key": _HEX128, "sig": _SIG}), 8)
_STREAM = {"at": _AT, "prev": _HEX256, "seq": _INT, "stream": _HEX128}
_OWN = {"at": _AT, "log": _LOG}
_SEALED = {"body": _REF, "com": _HEX256, "epoch": _HEX256, "i": _INT, "ret": _CLASS}
_PACK = {"h": _HEX256, "leaves": _list(_PAIR, 64), "n": _INT, "ret": _CLASS, "until": _AT}
_BEAT_HEAD = rf"\[{_HEX128},{_INT},{_HEX256}\]"
_CAUSES = _word(
    "attachment-missing", "attachment-mismatch", "backend-outage", "blocked-contact", "blocked-group", "intake-lost", "not-linked",
    "object-unreadable", "oversized", "phone-idle", "reference-unseen", "restart", "spool-doubtful", "spool-full", "spool-lost",
    "undecryptable", "unlinked", "unsupported-version", "untrusted-identity",
)  # fmt: skip

RECORDS = {
    "content": {**_STREAM, **_SEALED, "obj?": _list(_REF, 16), "tag": _HEX128},
    "media": {**_STREAM, **_SEALED, "obj": _list(_REF, 16), "tag": _HEX128},
    "access": {**_STREAM, **_SEALED, "tag": _HEX128},
    "open": {
        **_STREAM, "acct": _HEX128, "app": _word("holdfast", "signal", "whatsapp", "wickr"), "gen": _INT, "key": _HEX128, "last?": _HEAD,
        "role": _word("account", "process"),
    },
    "close": {**_STREAM, "reason": _word("moved", "retired", "superseded", "unlinked")},
    "beat": {**_STREAM, "heads": rf"\[(?:{_BEAT_HEAD}(?:,{_BEAT_HEAD}){{0,23}})?\]", "part": _PAIR},
    "gap": {
        **_STREAM, **{f"{name}?": pattern for name, pattern in _SEALED.items()}, "cause": _CAUSES, "count?": _INT, "from?": _AT,
        "last?": _HEAD, "ref?": _HEX256, "scope": _word("account", "chat", "message", "attachment"),
        "state": _word("open", "closed", "final"), "tag?": _HEX128, "to?": _AT,
    },
    "hole": {**_STREAM, "count": _INT, "last": _HEX256},
}  # fmt: skip
OWN = {
    "pack": {**_OWN, **_PACK},
    "repack": {**_OWN, **_PACK, "from": _HEX256},
    "heads": {**_OWN, "file": _REF, "root": _HEX256, "streams": _INT},
    "key": {**_OWN, "doc": _HEX256, "kind": _word("manifest", "predecessor", "successor"), "n": _INT},
    "store": {
        **_OWN, "create": _word("first-listed", "if-none-match", "link"), "hold": _BOOL, "kind": _word("directory", "s3"), "locks": _BOOL,
    },
    "retention": {
        **_OWN, "authority": _TEXT, "class": _CLASS, "max": _SPAN, "mode": _word("COMPLIANCE", "GOVERNANCE"), "period": _SPAN,
    },
    "hold": {**_OWN, "by": _BY, "hold": _HEX128, "matter": _TEXT, "objects": _REF, "state": _word("extended", "placed", "released")},
    "disposition": {**_OWN, "authority": _TEXT, "by": _BY, "objects": _REF},
    "escrow": {
        **_OWN, "act": _word("combine", "drill", "split"), "authority": _TEXT, "by": _BY, "ceremony": _HEX128, "key": _HEX128, "need": _INT,
        "of": _INT, "split": _HEX128, "state": _word("announced", "done", "failed"),
    },
    "scrub": {**_OWN, "by": _BY, "bytes": _INT, "findings": _INT, "from": _AT, "objects": _INT, "size": _INT},
}  # fmt: skip
PATTERNS = {name: "^" + _object({**fields, "t": f'"{name}"', "v": "1"}) + "$" for name, fields in {**RECORDS, **OWN}.items()}
_COMPILED = {name: re.compile(pattern[1:-1]) for name, pattern in PATTERNS.items()}
_TYPE = re.compile(rb'.*"t":"([^"]*)"', re.DOTALL)


class BadEntry(Malformed):
    """An entry that is refused; `code` is the finding."""

    def __init__(self, code, expected):
        super().__init__(expected)
        self.code = code


def parse_entry(line):
    """An entry of the log from its stored bytes. Raises BadEntry."""
    if len(line) > MAX_ENTRY_BYTES:
        raise BadEntry("verify/entry-too-large", f"at most {MAX_ENTRY_BYTES} bytes")
    named = _TYPE.match(line)
    pattern = _COMPILED.get(named[1].decode("latin-1")) if named else None
    if pattern is None:
        raise BadEntry("verify/entry-unknown-type", "an entry type of the specification")
    if pattern.fullmatch(line.decode("latin-1")) is None:
        raise BadEntry("verify/entry-malformed", f"a canonical {named[1].decode()} entry")
    entry = json.loads(line)
    broken = _broken_rule(entry)
    if broken:
        raise BadEntry("verify/entry-rule", broken)
    return entry


def is_record(entry):
    return entry["t"] in RECORDS


def _broken_rule(entry):
    kind = entry["t"]
    if is_record(entry) and (entry["seq"] == 0) != (kind == "open"):
        return "seq 0 in `open` and nowhere else"
    if entry.get("body", {"n": 0})["n"] > MAX_BODY_BYTES:
        return f"a body of at most {MAX_BODY_BYTES} bytes"
    if kind == "gap":
        if len(_SEALED.keys() & entry.keys()) not in (0, len(_SEALED)):
            return "all sealed members or none"
        if (entry["state"] == "closed" and "ref" not in entry) or (entry["state"] == "open" and "ref" in entry):
            return "`ref` where a gap is closed, none where it is open"
    if kind == "beat":
        number, most = entry["part"]
        streams = [head[0] for head in entry["heads"]]
        if not 1 <= number <= most or streams != sorted(set(streams)):
            return "a part within its number, and streams in ascending order"
    if kind == "hole" and entry["count"] < 1:
        return "at least one lost record"
    if "by" in entry:
        keys = [approval["key"] for approval in entry["by"]]
        if entry.get("state") in ("released", "announced") and len(keys) < 2:
            return "two approvals of a release or an announcement"
        if keys != sorted(set(keys)):
            return "approvals in ascending order of keys"
    if kind == "escrow":
        if not 2 <= entry["need"] <= entry["of"] <= 255:
            return "2 to 255 shares, two of them needed at least"
        if (entry["act"] == "split") != (entry["split"] == entry["ceremony"]):
            return "the split that made the shares"
    if kind in ("pack", "repack"):
        end = -1
        for first, count in entry["leaves"]:
            if count < 1 or first < end:
                return "ascending, disjoint leaves"
            end = first + count
    if kind == "retention" and "P" in (entry["period"], entry["max"]):
        return "a period of years, months or days"
    if not is_record(entry) and not is_origin(entry["log"]):
        return "an origin"
    return None
