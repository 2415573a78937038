"""genwindow: train a diffusion model long enough to generate, stop before it copies.

Importing this module loads NumPy and nothing heavier; the subpackages load what they need.
"""

from genwindow.curve import Curve, Estimate
from genwindow.errors import GenwindowError

__version__ = "0.1.0"

__all__ = ["Curve", "Estimate", "GenwindowError", "__version__"]
