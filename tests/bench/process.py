"""Runs one program to its end, and tells what it cost."""
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

ENVIRONMENT = {"BENCH_PASSWORD": "secret", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


@dataclass
class Run:
    seconds: float
    processor: float = 0.0
    """Seconds of processor time, its children's too."""
    peak: float = 0.0
    """Peak resident memory, MiB."""
    over: bool = False
    """It was ended at the time limit."""
    code: int = 0
    words: str = ""
    """The end of what it wrote."""


def peak_of(pid, before):
    """VmHWM, which belongs to the program alone: what wait4 tells counts this interpreter's memory, before exec."""
    try:
        with open(f"/proc/{pid}/status") as file:
            lines = [line for line in file if line.startswith("VmHWM:")]
        return max([before] + [int(line.split()[1]) / 1024 for line in lines])
    except (OSError, ValueError):
        return before


def end(process):
    """Ends a program that took too long, and what it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        for _ in range(40):
            if os.waitpid(process.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.05)


def run(command, limit=600.0, home=None, directory=None):
    """Runs it with nothing to read. `home`: a directory of its own instead of the user's."""
    environment = dict(os.environ, **ENVIRONMENT)
    if home:
        environment.update(HOME=home, XDG_CONFIG_HOME=f"{home}/.config", XDG_DATA_HOME=f"{home}/.local/share")
    with tempfile.TemporaryFile() as words:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment, cwd=directory, start_new_session=True
        )
        peak, over, status, used, wait = 0.0, False, 0, None, 0.001
        while True:
            peak = peak_of(process.pid, peak)
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            seconds = time.monotonic() - began
            if done or seconds > limit:
                break
            time.sleep(wait)
            # Short programs are looked at often, long ones cheaply.
            wait = min(0.02, 0.001 + seconds / 100)
        if not done:
            over = True
            end(process)
        process.returncode = os.waitstatus_to_exitcode(status) if done else -signal.SIGTERM
        words.seek(0, os.SEEK_END)
        words.seek(max(0, words.tell() - 4000))
        said = words.read().decode(errors="replace")
    processor = used.ru_utime + used.ru_stime if done else 0.0
    return Run(seconds, processor, peak, over, process.returncode, said)
