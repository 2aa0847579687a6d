# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs tools/verify.py for one list of arguments a line, in one process: the same as calling it each time, without the start."""

import contextlib
import io
import json
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import verify  # noqa: E402

for line in sys.stdin:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = verify.main(json.loads(line))
        answer = {"exitCode": code, "report": json.loads(said.getvalue())}
    except BaseException:
        answer = {"crash": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
