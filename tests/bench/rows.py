"""What is measured: one row a piece of work, with its mail at each distance and the goals it is held against."""
from dataclasses import dataclass, field

import limit


@dataclass(frozen=True)
class Goal:
    limit: float | None = None
    """mailhaul takes at most so many times the limit."""
    rival: float | None = None
    """and the best rival at least so many times as long as mailhaul."""


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    kind: str
    """As task.py has it."""
    mail: dict
    """By round trip in milliseconds: messages, folders."""
    goals: dict = field(default_factory=dict)
    tls: bool = False
    syncs: bool = False
    """Count mailhaul's fsyncs too."""


ACCOUNT = {0: (5000, 60), 20: (2000, 40), 100: (1000, 40)}
ONE_FOLDER = {rtt: (messages, 1) for rtt, (messages, _) in ACCOUNT.items()}
MAILDROP = {0: (4000, 1), 20: (1000, 1), 100: (500, 1)}
NEAR = {rtt: ACCOUNT[rtt] for rtt in (0, 20)}
POP3 = {0: Goal(1.1, 1), 20: Goal(1.25, 1), 100: Goal(1.25, 1)}

ROWS = [
    Row("imap-imap", "IMAP to IMAP", "imap-imap", ACCOUNT, {0: Goal(1.0, 1), 20: Goal(1.5, 5), 100: Goal(1.5, 8)}),
    Row("imap-imap-tls", "IMAP to IMAP, TLS at both ends", "imap-imap", {0: ACCOUNT[0]}, {0: Goal(None, 1.25)}, tls=True),
    Row("one-folder", "IMAP to IMAP, all in one folder", "imap-imap", ONE_FOLDER, {rtt: Goal(1.3, 1) for rtt in ACCOUNT}),
    Row("pop3-imap", "POP3 to IMAP", "pop3-imap", MAILDROP, POP3),
    Row("pop3-archive", "POP3 to an archive (Maildir)", "pop3-maildir", MAILDROP, POP3, syncs=True),
    Row("imap-archive", "IMAP to an archive (Maildir)", "imap-maildir", NEAR, {0: Goal(1.7, 1), 20: Goal(1.5, 1)}, syncs=True),
    Row("imap-mbox", "IMAP to an archive (mbox)", "imap-mbox", NEAR, {0: Goal(1.4), 20: Goal(1.4)}, syncs=True),
    Row("archive-imap", "Archive to IMAP", "maildir-imap", ACCOUNT, {0: Goal(1.2, 2), 20: Goal(1.4, 5), 100: Goal(1.4, 8)}),
]


@dataclass
class Mail:
    """The source's mail as the limits need it."""
    content: dict
    bytes: dict
    size: int

    @property
    def folders(self):
        return {name: [one.size for one in items] for name, items in self.content.items() if items}


def limits(row, pair, mail):
    """What the servers allow: seconds of each side that this work has, and which of it counts, under "limit"."""
    found = {}
    reads, writes = row.kind.split("-")
    if reads == "imap":
        found["fetch"] = limit.fetch(pair.port("old", "imap"), "old", mail.folders)
    if reads == "pop3":
        found["retrieve"] = limit.retrieve(pair.port("old", "pop3"), "old", mail.size)
    if writes == "imap":
        messages = {name: all_of for name, all_of in mail.bytes.items() if all_of}
        found["store"] = limit.store(pair.port("new", "imap"), pair.account, messages)
    # Without a distance both servers and the client share the processors: then IMAP's two sides come one after the other.
    one_after_the_other = row.kind == "imap-imap" and pair.rtt == 0
    found["limit"] = sum(found.values()) if one_after_the_other else max(found.values())
    return found
