# SPDX-License-Identifier: Apache-2.0
"""As much of DER as time stamps take: values with their tags, object identifiers, times."""

import re

from .form import Malformed, seconds


OTHER_FORM = (ValueError, IndexError, TypeError, AttributeError, OverflowError)
"""What goes wrong where values are fewer, or others, than whoever takes them apart counts on: to be caught with Malformed, as the same."""


class Value:
    def __init__(self, tag, content, raw):
        self.tag, self.content, self.raw = tag, content, raw

    def children(self):
        if not self.tag & 0x20:
            raise Malformed("a value that holds others")
        found, at = [], 0
        while at < len(self.content):
            found.append(_value(self.content, at))
            at += len(found[-1].raw)
        return found

    def __getitem__(self, index):
        children = self.children()
        if index >= len(children):
            raise Malformed("one value more")
        return children[index]


def parse(data):
    """The one value of these bytes. Raises Malformed."""
    value = _value(data, 0)
    if len(value.raw) != len(data):
        raise Malformed("one DER value")
    return value


def _value(data, at):
    head = data[at : at + 2]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise Malformed("a DER value")
    length, begin = head[1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
        if not 1 <= size <= 4:
            raise Malformed("a DER length")
    if begin + length > len(data):
        raise Malformed("as many bytes as its length says")
    return Value(head[0], data[begin : begin + length], data[at : begin + length])


def oid(value):
    if value.tag != 0x06 or not value.content or value.content[-1] & 0x80:
        raise Malformed("an object identifier")
    numbers, number = [], 0
    for byte in value.content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def seconds_of(value):
    """Seconds since 1970 of a UTCTime or a GeneralizedTime."""
    text = value.content.decode("latin-1")
    years = {0x17: 2, 0x18: 4}.get(value.tag)
    match = re.fullmatch(rf"([0-9]{{{years}}})([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})(?:\.[0-9]+)?Z", text) if years else None
    if match is None:
        raise Malformed("a time")
    year = match[1] if years == 4 else ("19" if match[1] >= "50" else "20") + match[1]
    return seconds(f"{year}-{match[2]}-{match[3]}T{match[4]}:{match[5]}:{match[6]}Z")
