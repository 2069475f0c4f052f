"""What is measured in other ways than by the seconds of a copy: runs with nothing new, adoption, growth."""
import os
import tempfile
from contextlib import contextmanager

import content
import corpus
import jobs
import limit
import rivals
from measure import say
from server import Pair
from task import Task

# Seconds beyond which a run with nothing new is not repeated.
LONG = 10
NAMES = ("nothing-new", "adopt", "growth")


@contextmanager
def bench(window, rate):
    """Both servers, everything counted, and a directory; no distance yet."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="mailhaul-bench.", dir=place) as work:
        os.chmod(work, 0o711)
        pair = Pair(work, 0, window, rate, counted=True)
        try:
            yield pair, work
        finally:
            pair.close()


def task(pair, work, name):
    place = f"{work}/{name}"
    os.mkdir(place)
    os.chmod(place, 0o711)
    return Task(pair, "imap-imap", False, pair.account(), place)


def nothing_new(options):
    """A second run right after the first, at 100 ms: round trips and connections, counted on the wire. A row a number of folders."""
    found = []
    for folders in (40,) if options.quick else (40, 400):
        with bench(options.window, options.rate) as (pair, work):
            corpus.make(pair.old, "old", folders * 5, folders, sizes=lambda draw: 2000)
            # The servers' own indexes are made by the first who looks.
            content.of_server(pair.old.port("imap"), "old")
            found.append({"folders": folders, "rtt": 100, "runs": {}})
            able = rivals.of("imap-imap")[0] if options.rivals else []
            # doveadm spends several round trips on every folder, here too: minutes for 400.
            names = ("mbsync", "interimap") if options.quick or folders > 40 else ("mbsync", "interimap", "doveadm backup")
            quick = [rival for rival in able if rival.name in names]
            for name, command in [("mailhaul", None)] + [(rival.name, rival.command) for rival in quick]:
                work_of = task(pair, work, name.split()[0])
                line = command(work_of) if command else work_of.mailhaul().command()
                idle_run(pair, work_of, line, True)
                runs = []
                while len(runs) < options.times and not any(one["seconds"] > LONG for one in runs):
                    runs.append(idle_run(pair, work_of, line, False))
                told = sorted(runs, key=lambda one: one["seconds"])[len(runs) // 2]
                found[-1]["runs"][name] = told
                say(f"  {folders} folders, {name}: {told}")
                work_of.clear()
    return found


def idle_run(pair, work_of, line, first):
    """One run, counted. The first copies: its distance would only cost time."""
    pair.link.distance(0 if first else 100)
    pair.link.count()
    run = work_of.run(line, 600)
    passed = pair.link.count()
    pair.link.distance(0)
    source, sink = passed["old"], passed["new"]
    return {
        "seconds": run.seconds, "code": run.code, "flights": source[1] + sink[1], "source": source[0], "destination": sink[0],
        "bytes": sum(source[2:] + sink[2:]),
    }


def adopt(options):
    """The destination holds all of it already and the journal is lost: only headers should cross the wire."""
    found = []
    messages = options.scaled(20000, 500)
    with bench(options.window, options.rate) as (pair, work):
        size = corpus.make(pair.old, "old", messages, 20, sizes=lambda draw: 3000)
        wanted = content.of_server(pair.old.port("imap"), "old")
        folders = {name: [one.size for one in items] for name, items in wanted.items()}
        work_of = task(pair, work, "adopt")
        job = work_of.mailhaul()
        first = work_of.run(job.command(), 600)
        if first.code:
            raise SystemExit(f"the mail to be adopted could not be copied:\n{first.words}")
        for rtt in (0, 20):
            pair.link.distance(rtt)
            entry = {"messages": messages, "bytes": size, "rtt": rtt, "limits": [], "seconds": [], "passed": [], "what": "exact"}
            for _ in range(options.times):
                sides = [limit.headers(pair.port(which, "imap"), user, folders) for which, user in (("old", "old"), ("new", work_of.user))]
                entry["limits"].append(sum(sides) if rtt == 0 else max(sides))
                job.forget()
                pair.link.count()
                run = work_of.run(job.command(), 600)
                passed = pair.link.count()
                entry["seconds"].append(run.seconds)
                entry["passed"].append(sum(passed["old"][2:] + passed["new"][2:]))
                difference = work_of.difference(wanted)
                if run.code or not difference.exact():
                    entry["what"] = f"{difference}, exit code {run.code}"
            say(f"  {messages} messages, {rtt} ms: {min(entry['seconds']):.2f} s, limit {min(entry['limits']):.2f} s; {entry['what']}")
            found.append(entry)
    return found


def growth(options):
    """Small messages, ten times as many each time: messages a second, and the peak of memory."""
    found = []
    for messages in (10_000, 100_000) + ((1_000_000,) if options.million else ()):
        messages = options.scaled(messages, 500)
        with bench(options.window, options.rate) as (pair, work):
            corpus.make(pair.old, "old", messages, 10, sizes=lambda draw: 500)
            source = jobs.Server("imap", pair.old.port("imap"), "old")
            user = pair.account()
            job = jobs.Job(work, "growth", source, jobs.Server("imap", pair.new.port("imap"), user))
            work_of = Task(pair, "imap-imap", False, user, work)
            run = work_of.run(job.command(), 7200)
            again = work_of.run(job.command(), 7200)
            counts = {which: standing(pair, which, name) for which, name in (("old", "old"), ("new", user))}
            what = "all there" if counts["old"] == counts["new"] and run.code == 0 else f"{counts}, exit code {run.code}"
            found.append({
                "messages": messages, "seconds": run.seconds, "processor": run.processor, "peak": run.peak,
                "again": again.seconds, "again_peak": again.peak, "what": what,
            })
            say(f"  {messages} messages: {messages / run.seconds:.0f} a second, {run.peak:.0f} MiB; {what}")
    return found


def standing(pair, which, user):
    """How many messages stand in all folders: too many to compare each here, which the other rows do."""
    link = content.Imap(getattr(pair, which).port("imap"), user)
    total = 0
    for name in link.folders():
        lines = link.ask(b"STATUS " + name + b" (MESSAGES)")
        total += sum(int(line.rsplit(b"MESSAGES ", 1)[1].rstrip(b")\r\n")) for line in lines if b"MESSAGES" in line)
    link.close()
    return total


def measure(name, options):
    return {"nothing-new": nothing_new, "adopt": adopt, "growth": growth}[name](options)

