# SPDX-License-Identifier: Apache-2.0
"""Ed25519 verification (RFC 8032, cofactorless, as OpenSSL does it), fast for few keys and many signatures.

One `openssl pkeyutl` per signature costs 20 ms. Here every key gets a table of its multiples once (10 ms), after which a signature is
128 additions of points: about 1 ms.
"""

import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)
BASE = bytes.fromhex("58" + "66" * 31)


def _add(p, q):
    """Extended coordinates (X, Y, Z, T), T = XY/Z; complete, so it doubles as well."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _decode(raw):
    """The point of 32 bytes, or None. Encodings that are not canonical are refused."""
    if len(raw) != 32:
        return None
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=256)
def _table(raw):
    """For each of 64 positions the multiples 0 to 15 of 16^position times the point."""
    point = _decode(raw)
    if point is None:
        return None
    table = []
    for _ in range(64):
        row = [IDENTITY]
        for _ in range(15):
            row.append(_add(row[-1], point))
        table.append(row)
        point = _add(row[-1], point)
    return table


def _times(table, number):
    total = IDENTITY
    for row in table:
        if number & 15:
            total = _add(total, row[number & 15])
        number >>= 4
    return total


def is_public_key(raw):
    """True for a canonical point that is not of small order: what may be configured as a key."""
    point = _decode(raw)
    if point is None:
        return False
    for _ in range(3):
        point = _add(point, point)
    return point[0] % P != 0 or (point[1] - point[2]) % P != 0


def verify(public, message, signature):
    if len(signature) != 64:
        return False
    table = _table(bytes(public))
    s = int.from_bytes(signature[32:], "little")
    if table is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    # R = sB - kA, compared as bytes: a signature has one spelling.
    return _encode(_add(_times(_table(BASE), s), _times(table, L - k if k else 0))) == bytes(signature[:32])
