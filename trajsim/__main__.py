"""``python -m trajsim`` is the command ``trajsim``."""

import sys

from trajsim.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
