"""What has to be said of an audit log that was found altered, wherever something is made of it."""

from compliance import verification
from compliance.models import JobRun


def warning_of(origin: str) -> str:
    """A sentence for people while nobody has dealt with what was found of that log; empty if nothing was.

    A run keeps the words of its first findings only: where there were more, it may be any log.
    """
    alarm = verification.read_alarm()
    if alarm is None or alarm.is_over or not alarm.findings:
        return ""
    found = verification.findings_of(JobRun.objects.get(pk=alarm.run_id))
    if len(found) >= alarm.findings and not {"", origin} & {each.log for each in found}:
        return ""
    return (
        f"The verification of {alarm.at:%Y-%m-%d %H:%M} UTC found that this log was altered. What is in this export "
        "need not be what was recorded; verify.py says which events do not match."
    )
