"""What helps against which finding: the text that people read, and the tasks that a run can apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LATER: Final = frozenset({"etcd_disk"})
"""Tasks that are named as remedies although this version does not have them yet."""

OWN_DISK: Final = "a faster disk of its own for etcd (task etcd_disk, not in this version yet)"
DISK: Final = f"{OWN_DISK}; process_priority helps only against other load on the same disk"
MEASURE: Final = "measure while something is written: ask for --probe-writes or --fio"
PRIORITY: Final = "process_priority: {process: etcd, io_class: best-effort, io_level: 0, nice: -20}"
DEFRAG: Final = "etcd_defrag: {min_fragmentation: 45%, min_size: 100MiB}"
UPGRADE_FIRST: Final = "upgrade etcd first: defragmenting this release risks its data (etcd#14733)"
MORE_QUOTA: Final = (
    "compact and delete what is not needed, or raise quota-backend-bytes with etcd_flags "
    "(memory at least 3 × quota)"
)
DISARM: Final = "etcd_defrag: it disarms NOSPACE once every member is under its quota, and proves a write"
REPLACE: Final = "replace the member from a healthy one (remove, wipe, add); changes are refused until then"
COMPACT: Final = "etcd_flags: {set: {auto-compaction-mode: periodic, auto-compaction-retention: 1h}}"
REPAIR: Final = (
    "look at its log and its disk; a member that is down may be repaired at any time "
    "(--allow-outage where the quorum is gone)"
)
REJOIN: Final = "wipe its data and add it again, or take it out of the inventory"
NETWORK: Final = "a nearer or calmer network; where it stays as it is, timers that fit"
NETWORK_ITSELF: Final = (
    "the timers already fit this network as well as timers can; "
    "what remains is the network itself: a nearer or calmer one"
)
CAUSES_OF_SLOW_READS: Final = "treat slow-fsync and slow-network first: this is what they do to clients"
CAUSES_OF_ELECTIONS: Final = (
    "treat slow-fsync, slow-network and bad-timers first: they cost a leader its office"
)
RESTART: Final = "restart the member, or set the flags with etcd_flags, which waits for the new process"
ONE_MANIFEST: Final = "move every file but the right one out of the manifests folder"

CURES: Final[Mapping[str, frozenset[str]]] = {
    "slow-fsync": frozenset({"etcd_disk"}),
    "slow-backend-commit": frozenset({"etcd_disk"}),
    "shared-disk": frozenset({"etcd_disk"}),
    "tmpfs-outside-dev": frozenset({"etcd_disk"}),
    "low-priority": frozenset({"process_priority"}),
    "slow-network": frozenset({"etcd_timers", "etcd_flags"}),
    "bad-timers": frozenset({"etcd_timers", "etcd_flags"}),
    "no-compaction": frozenset({"etcd_flags"}),
    "flags-not-live": frozenset({"etcd_flags"}),
    "unsafe-no-fsync-outside-dev": frozenset({"etcd_flags"}),
    "fragmented-database": frozenset({"etcd_defrag"}),
    "database-near-quota": frozenset({"etcd_defrag", "etcd_flags"}),
    "alarm": frozenset({"etcd_defrag"}),
}
"""Tasks that treat a finding's cause, any one of them; a finding that is not named is treated by hand."""

EASES: Final[Mapping[str, frozenset[str]]] = {
    "slow-fsync": frozenset({"process_priority", "etcd_defrag"}),
    "slow-backend-commit": frozenset({"process_priority", "etcd_defrag"}),
    "slow-health": frozenset({"process_priority", "etcd_defrag", "etcd_disk", "etcd_flags", "sysctl"}),
    "slow-network": frozenset({"sysctl"}),
    "leader-changes": frozenset({"process_priority", "etcd_disk", "etcd_flags"}),
}
"""Tasks that may help although they leave the cause where it is."""
