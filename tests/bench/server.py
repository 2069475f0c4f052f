"""Throwaway Dovecots whose mail lies in memory, and the link that puts a distance in front of them."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(f"{HERE}/../..")
LINK = f"{TOP}/target/bench-link"
PROTOCOLS = ("imap", "imaps", "pop3")


class Server:
    """A Dovecot (`tests/support/dovecot`); ends when its standard input is closed."""

    def __init__(self, work, *options):
        command = [f"{TOP}/tests/support/dovecot", "fsync=never", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.at = dict(word.split("=", 1) for word in self.process.stdout.readline().split()[1:])
        if not self.at:
            raise SystemExit("a Dovecot does not start; what it said stands above")
        self.owner = int(self.at["uid"]), int(self.at["gid"])
        self.mail = f"{work}/mail.{self.at['imap']}"
        os.mkdir(self.mail)
        os.chown(self.mail, *self.owner)

    def home(self, user):
        """The directory of a user, made if need be. Dovecot's own stands on the disk, which is not what is measured."""
        place = f"{self.mail}/{user}"
        if not os.path.isdir(place):
            os.mkdir(place)
            os.chown(place, *self.owner)
            os.symlink(place, f"{self.at['dir']}/home/{user}")
        return place

    def port(self, protocol):
        return int(self.at[protocol])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Link:
    """Ports that lead to both servers over one distance, which may change while they are in use."""

    def __init__(self, old, new, rtt=0, window=0, rate=0):
        """`rtt`: round trip in milliseconds. `window`: bytes, as link.rs has it; 0: none. `rate`: bytes a second; 0: none."""
        self.ends = [(which, protocol) for which in ("old", "new") for protocol in PROTOCOLS]
        ports = [str({"old": old, "new": new}[which].port(protocol)) for which, protocol in self.ends]
        self.process = subprocess.Popen([LINK, *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        own = self.process.stdout.readline().split()[1:]
        self.ports = {end: int(port) for end, port in zip(self.ends, own)}
        self.set("window", window)
        self.set("rate", rate)
        self.distance(rtt)

    def ask(self, words):
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def set(self, what, number):
        if self.ask(f"{what} {number}") != "ok":
            raise SystemExit(f"the link does not know {what} {number}")

    def distance(self, rtt):
        self.set("rtt", rtt)

    def count(self):
        """What passed since the last time: by "old" and "new", connections, flights, bytes up, bytes down."""
        passed = {"old": [0] * 4, "new": [0] * 4}
        for (which, _), told in zip(self.ends, self.ask("count").split()):
            passed[which] = [a + int(b) for a, b in zip(passed[which], told.split(":"))]
        return passed

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Pair:
    """Both servers and, where there is a distance or something to count, the link. The old one holds Maildirs, the new one sdbox."""

    def __init__(self, work, rtt, window=0, rate=0, counted=False):
        self.work, self.rtt, self.serial = work, rtt, 0
        self.old, self.new = Server(work, "format=maildir"), Server(work, "format=sdbox")
        self.link = Link(self.old, self.new, rtt, window, rate) if rtt or counted else None

    def port(self, which, protocol):
        if self.link:
            return self.link.ports[which, protocol]
        return getattr(self, which).port(protocol)

    def account(self):
        """A user of the new server who has nothing yet."""
        self.serial += 1
        name = f"new{self.serial}"
        self.new.home(name)
        return name

    def close(self):
        for part in (self.link, self.old, self.new):
            if part:
                part.close()
