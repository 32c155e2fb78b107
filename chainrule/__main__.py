"""``python -m chainrule``: the commands of ``chainrule``, where the script itself is not on the path."""

from __future__ import annotations

import sys

from chainrule.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
