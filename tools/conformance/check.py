#!/usr/bin/env python3
"""Run every suite against flambeau and fail when one falls below the score recorded in scores.json.

    python tools/conformance/check.py            # compare
    python tools/conformance/check.py --record   # write the scores reached (only ever upwards by hand or by this)
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCORES = HERE / "scores.json"


def passed(suite):
    """(units passed, units in all), from the suite's last line."""
    command = [sys.executable, str(HERE / "conformance.py"), suite, "--candidate", "flambeau"]
    command += ["--isolate", "--jobs", str(os.cpu_count() or 1), "--max-samples", "60", "--verbose"]
    out = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    match = re.search(rf"^{suite}: (\d+)/(\d+) passed", out.stdout, re.M)
    if not match:
        sys.exit(f"{suite}: no result\n{out.stdout[-2000:]}\n{out.stderr[-2000:]}")
    return int(match[1]), int(match[2]), out.stdout


def main():
    scores, low = json.loads(SCORES.read_text()), []
    for suite, least in scores.items():
        good, total, log = passed(suite)
        print(f"{suite}: {good}/{total} passed, recorded {least}", flush=True)
        if "--record" in sys.argv:
            scores[suite] = good
        elif good < least:
            low.append(suite)
            print("\n".join(line for line in log.splitlines() if not line.startswith("variant"))[-6000:])
    if "--record" in sys.argv:
        SCORES.write_text(json.dumps(scores, indent=1) + "\n")
    if low:
        sys.exit(f"below the recorded score: {', '.join(low)}")


if __name__ == "__main__":
    main()
