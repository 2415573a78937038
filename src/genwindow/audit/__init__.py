"""An audit of generated images: are they copies of training images? For any generator, diffusion or not."""

from genwindow.audit.audit import audit
from genwindow.audit.result import Audit, Pair, SpaceResult
from genwindow.audit.statistics import audit_features

__all__ = ["Audit", "Pair", "SpaceResult", "audit", "audit_features"]
