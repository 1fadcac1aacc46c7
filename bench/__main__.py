"""`python -m bench NAME …` runs `bench.NAME.main()`, which finds what follows the name in `sys.argv`."""

import importlib
import sys
from pathlib import Path


def main() -> int:
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"usage: python -m bench {{{','.join(names)}}}", file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    return int(importlib.import_module(f"bench.{name}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
