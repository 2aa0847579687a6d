# SPDX-License-Identifier: Apache-2.0
"""What lies beside the log: tiles, cosigned checkpoints, time stamps. Read before the log, judged behind it."""

from .evidence import judge_locks
from .stamps import judge_stamps, read_stamped
from .stored import newest_checkpoint
from .tiles import judge_tiles, list_tiles
from .witnesses import judge_witnesses, read_cosigned


class Beside:
    def __init__(self, log):
        self.log = log
        self.tiles = list_tiles(log)
        self.tile_checkpoint = newest_checkpoint(log, "tile/checkpoint", "verify/tile-checkpoint-unsigned")
        self.cosigned, self.stamped = read_cosigned(log), read_stamped(log)

    @property
    def sizes(self):
        """At which the log's root is wanted."""
        own = {self.tile_checkpoint[0]} if self.tile_checkpoint else set()
        return own | {evidence.size for evidence in [*self.cosigned, *self.stamped]}

    def judge(self, policy, roots):
        log = self.log
        log.compare(self.tile_checkpoint, "checkpoint-ahead", "checkpoint-root")
        judge_tiles(log, self.tiles, self.tile_checkpoint)
        judge_witnesses(log, self.cosigned, policy)
        judge_stamps(log, self.stamped, roots)
        judge_locks(log, [*self.cosigned, *self.stamped])
