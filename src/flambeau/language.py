"""What is said, in which language."""

from __future__ import annotations


def findings_text(f) -> str:
    """The message of a finding."""
    lines = [f.saw]
    if f.why:
        lines.append(f"  why: {f.why}")
    if f.fix:
        lines.append(f"  fix: {f.fix}")
    lines.append(f"  {f.code}: `flambeau explain {f.code}` says more; `# fb: ok {f.code}` on the line silences it")
    return "\n".join(lines)


def summary_text(often) -> str:
    """The lines at the end of a run."""
    lines = [f"flambeau: {len(often)} of the warnings above came up again:"]
    for f in often:
        where = str(f.site) if f.site is not None else f.place
        lines.append(f"  {f.code} at {where}: {f.count} times. {f.title}")
    return "\n".join(lines)
