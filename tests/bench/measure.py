"""The measuring half of tests/bench/run: servers, mail, runs in turns, and a table of medians and ratios."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import corpus
import limit
import proxy

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.environ.get("MAILHAUL", f"{HERE}/../../target/release/mailhaul")


class Server:
    """A throwaway Dovecot; ends when its standard input is closed."""

    def __init__(self, *options):
        command = [f"{HERE}/../support/dovecot", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.at = dict(word.split("=", 1) for word in self.process.stdout.readline().split()[1:])

    def port(self, protocol, rtt):
        port = int(self.at[protocol])
        return proxy.start(port, rtt) if rtt else port

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def watched(pid):
    """Waits for a process. Its peak memory (MiB) is asked of it: what wait4 tells counts this program's, before exec."""
    peak = 0.0
    while True:
        try:
            with open(f"/proc/{pid}/status") as file:
                peak = next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:")), peak)
        except OSError:
            pass
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            return status, used, peak
        time.sleep(0.005)


def timed(command, good=(0,)):
    """Seconds, processor seconds and peak memory (MiB) of a command; it must end with one of `good`."""
    environment = dict(os.environ, BENCH_PASSWORD="secret")
    with tempfile.TemporaryFile() as words:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=words, stderr=words, env=environment)
        status, used, peak = watched(process.pid)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in good:
            words.seek(0)
            sys.exit(f"{command} ended with {process.returncode}:\n{words.read().decode(errors='replace')[-3000:]}")
    return seconds, used.ru_utime + used.ru_stime, peak


def job(work, name, protocol, source, sink, user, keep, extra=""):
    end = 'host = "127.0.0.1"\nsecurity = "plain"\npassword = { env = "BENCH_PASSWORD" }\n'
    path = f"{work}/{name}.toml"
    with open(path, "w") as file:
        file.write(
            f'version = 1\n[source]\nprotocol = "{protocol}"\nport = {source}\nuser = "old"\n{end}{extra}'
            f'[destination]\nprotocol = "imap"\nport = {sink}\nuser = "{user}"\n{end}'
            f'[archive]\npath = "{name}.archive"\nkeep-mail = {str(keep).lower()}\n'
        )
    return path


def mbsync_config(work, source, sink, user):
    path = f"{work}/{user}.mbsyncrc"
    with open(path, "w") as file:
        for name, port, login in (("far", source, "old"), ("near", sink, user)):
            file.write(
                f"IMAPStore {name}\nHost 127.0.0.1\nPort {port}\nUser {login}\nPass secret\nSSLType None\nAuthMechs LOGIN\n\n"
            )
        file.write(
            f"Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync PullNew\nCopyArrivalDate yes\n"
            f"SyncState {work}/{user}.state/\n"
        )
    os.makedirs(f"{work}/{user}.state", exist_ok=True)
    return path


class Bench:
    def __init__(self, options, work, rtt):
        self.options, self.work, self.rtt = options, work, rtt / 1000
        self.results, self.serial = {}, 0
        self.old, self.new = Server("format=maildir", "fsync=never"), Server("format=sdbox", "fsync=never")
        self.source = self.old.port("imap", self.rtt)
        self.pop3 = self.old.port("pop3", self.rtt)
        self.sink = self.new.port("imap", self.rtt)

    def close(self):
        self.old.close()
        self.new.close()

    def note(self, name, seconds, processor=0.0, memory=0.0):
        self.results.setdefault(name, []).append((seconds, processor, memory))

    def account(self):
        self.serial += 1
        return f"new{self.serial}"

    def mailhaul(self, name, protocol, port, keep, nothing_new):
        user = self.account()
        path = job(self.work, user, protocol, port, self.sink, user, keep)
        self.note(name, *timed([BINARY, "run", path]))
        if nothing_new:
            self.note(f"{name}, nothing new", *timed([BINARY, "run", path]))
        shutil.rmtree(f"{self.work}/{user}.archive")

    def limits(self):
        seconds, mail = limit.fetch(self.source, "old")
        self.note("limit: fetch", seconds)
        stored = limit.multiappend(self.sink, self.account(), mail)
        self.note("limit: MULTIAPPEND", stored)
        self.note("limit: both, one after the other", seconds + stored)

    def rivals(self):
        user = self.account()
        config = mbsync_config(self.work, self.source, self.sink, user)
        for name in ("mbsync", "mbsync, nothing new"):
            self.note(name, *timed(["mbsync", "-q", "-c", config, "-a"]))

    def turn(self):
        self.limits()
        self.mailhaul("IMAP to IMAP", "imap", self.source, False, True)
        self.mailhaul("POP3 to IMAP", "pop3", self.pop3, False, True)
        self.mailhaul("POP3 to IMAP, archive", "pop3", self.pop3, True, False)
        if self.options.rivals:
            self.rivals()

    def table(self):
        whole = statistics.median(run[0] for run in self.results["limit: both, one after the other"])
        print(f"\n| round trip {self.rtt * 1000:.0f} ms | of the limit | processor / limit | peak MiB |\n|---|--:|--:|--:|")
        for name, runs in self.results.items():
            seconds, processor, memory = (statistics.median(run[at] for run in runs) for at in range(3))
            print(f"| {name} | {seconds / whole:.2f} | {processor / whole:.2f} | {memory:.0f} |")
        print(f"\n(limit, both: {whole:.2f} s here)")


def memory(options, work):
    """Peak memory over many small messages, and over one of 300 MiB."""
    print("\n| peak memory | messages | MiB |\n|---|--:|--:|")
    cases = (("small messages", options.many, lambda draw: 600), ("a large one", 1, lambda draw: 300 << 20))
    for name, messages, sizes in cases:
        old, new = Server("format=maildir", "fsync=never"), Server("format=sdbox", "fsync=never")
        try:
            corpus.fill(old.at, "old", messages, 1, sizes=sizes)
            path = job(work, f"memory{messages}", "imap", old.at["imap"], new.at["imap"], "new", False)
            for which in ("", ", nothing new"):
                _, _, peak = timed([BINARY, "run", path])
                print(f"| {name}{which} | {messages} | {peak:.0f} |")
        finally:
            old.close()
            new.close()


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--folders", type=int, default=60)
    parser.add_argument("--times", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--rtt", type=float, nargs="*", default=[0, 20, 100], help="round trips, milliseconds")
    parser.add_argument("--rivals", action="store_true", help="installs and measures isync too")
    parser.add_argument("--memory", action="store_true", help="measures memory instead of time")
    parser.add_argument("--many", type=int, default=50000, help="small messages for --memory")
    return parser.parse_args()


def main():
    options = arguments()
    # The disk is not what is measured: it differs most between machines.
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="mailhaul-bench.", dir=place) as work:
        if options.memory:
            return memory(options, work)
        for rtt in options.rtt:
            bench = Bench(options, work, rtt)
            try:
                size = corpus.fill(bench.old.at, "old", options.messages, options.folders)
                print(f"{options.messages} messages, {size / 1e6:.0f} MB, {options.folders} folders; median of {options.times}")
                for _ in range(options.times):
                    bench.turn()
                bench.table()
            finally:
                bench.close()


if __name__ == "__main__":
    main()
