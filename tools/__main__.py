"""``python -m tools``, and ``python -m engine``, which forwards here."""

import sys

from tools.cli import main

sys.exit(main())
