"""Facts in, findings out: pure rules with named thresholds."""

from remediate.diagnosis.rules import FINDING_IDS, diagnose
from remediate.diagnosis.timers import Timers, proposed_timers

__all__ = ["FINDING_IDS", "Timers", "diagnose", "proposed_timers"]
