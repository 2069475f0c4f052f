"""The measuring half of tests/bench/run: every row at every distance, all programs in turns, each result compared."""
import os
import re
import shutil
import sys
import tempfile

import content
import corpus
import rivals
import rows as kinds_of_work
from server import Pair
from task import Task

# One that took so many times the limit is not run again; one that is known to be slow is ended at so many.
SLOW, OVER = 10, 20


def say(words):
    print(words, file=sys.stderr, flush=True)


class Bench:
    """One row at one distance."""

    def __init__(self, row, rtt, options, work):
        self.row, self.rtt, self.options, self.work = row, rtt, options, work
        self.pair = Pair(work, rtt, options.window, options.rate)
        self.result = {"row": row.name, "rtt": rtt, "limits": [], "runs": {}, "missing": [], "syncs": None}
        self.serial, self.slow = 0, set()

    def fill(self):
        messages, folders = self.row.mail[self.rtt]
        messages = self.options.scaled(messages)
        folders = min(folders, max(1, messages // 5))
        bytes_of = {}
        corpus.make(self.pair.old, "old", messages, folders)
        found = content.of_server(self.pair.old.port("imap"), "old", bytes_of)
        if self.row.kind.startswith("pop3"):
            nul = b"\x80" if self.row.kind.endswith("-imap") else b"\0"
            found = content.of_pop3(self.pair.old.port("pop3"), "old", nul)
        size = sum(one.size for items in found.values() for one in items)
        self.mail = kinds_of_work.Mail(found, bytes_of, size)
        self.result.update(messages=messages, folders=folders, bytes=size)

    def task(self, files=None):
        self.serial += 1
        place = f"{self.work}/task{self.serial}"
        os.mkdir(place)
        os.chmod(place, 0o711)
        return Task(self.pair, self.row.kind, self.row.tls, self.pair.account(), place, files)

    def limit(self):
        return min(one["limit"] for one in self.result["limits"])

    def prepare(self):
        """What is read, where that is not the server: an archive and a copy of its Maildirs, both made by mailhaul."""
        self.archive = self.maildirs = None
        if self.row.kind == "maildir-imap":
            self.archive, self.maildirs = f"{self.work}/archive", f"{self.work}/maildirs"
            for path, kind in ((self.archive, "imap-maildir"), (self.maildirs, "imap-maildir")):
                task = Task(self.pair, kind, False, self.pair.account(), f"{self.work}/made", None)
                os.mkdir(task.dir)
                job = task.mailhaul() if path == self.archive else task.maildir_copy()
                run = task.run(job.command(), 600)
                if run.code:
                    raise SystemExit(f"the archive to be read could not be made:\n{run.words}")
                os.rename(task.out, path)
                task.clear()

    def note(self, who, run, difference, good):
        entry = self.result["runs"].setdefault(who, {"seconds": [], "processor": [], "peak": [], "over": False, "what": "", "exact": True})
        entry["seconds"].append(run.seconds)
        entry["processor"].append(run.processor)
        entry["peak"].append(run.peak)
        entry["over"] |= run.over
        if run.over:
            entry["what"], entry["exact"] = "ended at the time limit", False
            return
        told = [str(difference)] + ([f"exit code {run.code}"] if run.code not in good else [])
        if not difference.exact() or run.code not in good:
            entry["what"], entry["exact"] = ", ".join(told), False
        if run.code not in good:
            say(f"    {who} said: {run.words[-600:].strip()}")

    def mailhaul(self):
        task = self.task(self.archive)
        run = task.run(task.mailhaul().command(), 600)
        self.note("mailhaul", run, task.difference(self.mail.content), (0,))
        self.told("mailhaul", run)
        task.clear()

    def rival(self, rival):
        patience = self.options.patience
        limit = min(patience, max(10.0, OVER * self.limit())) if rival.slow else patience
        task = self.task(self.maildirs)
        run = task.run(rival.command(task), limit)
        self.note(rival.name, run, None if run.over else task.difference(self.mail.content), rival.good)
        if run.over or run.seconds > SLOW * self.limit():
            self.slow.add(rival.name)
        self.told(rival.name, run)
        task.clear()

    def told(self, who, run):
        how = "over " if run.over else ""
        what = self.result["runs"][who]["what"] or "exact"
        say(f"    {who}: {how}{run.seconds:.2f} s, {run.seconds / self.limit():.2f} of the limit; {what}")

    def syncs(self):
        """The fsyncs of one run, which is slower for being watched."""
        if not self.row.syncs or not shutil.which("strace"):
            return
        task = self.task(self.archive)
        told = f"{task.dir}/strace"
        watched = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", told, *task.mailhaul().command()]
        if task.run(watched, 600).code == 0:
            with open(told) as file:
                counts = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*\b(fsync|fdatasync)$", file.read(), re.M)
            self.result["syncs"] = sum(int(count) for count, _ in counts)
        task.clear()

    def run(self):
        able, missing = rivals.of(self.row.kind, self.row.tls)
        self.result["missing"] = [rival.name for rival in missing]
        if not self.options.rivals:
            able = []
        self.fill()
        self.prepare()
        say(f"  {self.result['messages']} messages, {self.mail.size / 1e6:.0f} MB, {self.result['folders']} folders")
        for turn in range(self.options.times):
            self.result["limits"].append(kinds_of_work.limits(self.row, self.pair, self.mail))
            say(f"  turn {turn + 1}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.result["limits"][-1].items()))
            self.mailhaul()
            for rival in able:
                if rival.name not in self.slow:
                    self.rival(rival)
        self.syncs()
        return self.result

    def close(self):
        self.pair.close()


def measure(row, rtt, options):
    """Everything of it lies in memory: the disk is not what is measured, and differs most between machines."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="mailhaul-bench.", dir=place) as work:
        # The server's mail is another user's.
        os.chmod(work, 0o711)
        bench = Bench(row, rtt, options, work)
        try:
            return bench.run()
        finally:
            bench.close()


