"""Module files: read, typed, checked, drawn.

Clinical knowledge comes in files of Synthea's Generic Module Framework. This room alone knows their JSON; the engine
receives typed modules and never sees a path or a key.
"""

from trajsim.gmf.library import bundled_modules_root, load_modules

__all__ = ["bundled_modules_root", "load_modules"]
