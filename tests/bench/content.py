"""What stands in a mailbox, message by message, and how two of them differ."""
import hashlib
import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from wire import Imap, Pop3

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.I | re.M)
NO_MATTER = {r"\Recent"}


@dataclass(frozen=True)
class Item:
    """A message: BLAKE2 of its bytes with CRLF line ends, Message-ID, flags and keywords, date (text, or None where nobody told)."""
    digest: bytes
    name: bytes
    flags: frozenset = frozenset()
    date: str | None = None
    size: int = 0


def item(data, flags=frozenset(), date=None):
    found = MESSAGE_ID.search(data, 0, 16 << 10)
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return Item(digest, found[1] if found else b"", flags, date, len(data))


def canonical(data):
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)


def of_server(port, user, keep=None):
    """{folder's wire name: items in order}, over IMAP. `keep`: a dict that gets the bytes too."""
    link, found = Imap(port, user), {}
    for name in link.folders():
        items, kept = [], []

        def on(before, data, after):
            line = before + after
            flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()
            date = re.search(rb'INTERNALDATE "([^"]*)"', line)[1].decode().strip()
            items.append(item(data, frozenset(flags) - NO_MATTER, date))
            if keep is not None:
                kept.append(data)

        link.ask(b"EXAMINE " + name)
        link.send(b"x FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])\r\n")
        try:
            link.until(b"x", on)
        except OSError:
            # An empty folder has no message 1.
            assert not items, f"{name!r} cannot be read to its end"
        found[name] = items
        if keep is not None:
            keep[name] = kept
    link.close()
    return found


def of_pop3(port, user, nul):
    """INBOX as POP3 shows it. POP3 carries NUL, IMAP cannot: Dovecot shows 0x80 for it there, which `nul` says too where that is compared."""
    link, items = Pop3(port, user), []
    for at in range(1, link.count() + 1):
        items.append(item(link.retrieve(at).replace(b"\0", nul)))
    link.close()
    return {b"*": items}


def of_maildirs(root):
    """All messages of the Maildirs below, as one folder. On disk stand LF line ends."""
    items = []
    for path, _, files in os.walk(root):
        if os.path.basename(path) in ("cur", "new"):
            for file in files:
                with open(f"{path}/{file}", "rb") as opened:
                    items.append(item(canonical(opened.read())))
    return {b"*": items}


def of_mboxes(root):
    """All messages of the mbox files below (mboxrd), as one folder."""
    items = []
    for path, _, files in os.walk(root):
        for file in files:
            with open(f"{path}/{file}", "rb") as opened:
                # Each is followed by an empty line.
                for part in re.split(rb"(?:\A|(?<=\n))From [^\n]*\n", opened.read())[1:]:
                    text = re.sub(rb"(?m)^>(>*From )", rb"\1", part.removesuffix(b"\n"))
                    items.append(item(canonical(text)))
    return {b"*": items}


def as_one(content):
    return {b"*": [one for items in content.values() for one in items]}


@dataclass
class Difference:
    missing: int = 0
    doubled: int = 0
    altered: int = 0
    flags: int = 0
    dates: int = 0
    folders: list = field(default_factory=list)
    """Absent ones."""

    def exact(self):
        return not (self.missing or self.doubled or self.altered or self.flags or self.dates or self.folders)

    def __str__(self):
        told = [f"{number} {what}" for number, what in (
            (self.missing, "missing"), (self.doubled, "too many"), (self.altered, "altered"),
            (self.flags, "with other flags or keywords"), (self.dates, "with another date"), (len(self.folders), "folders absent"),
        ) if number]
        return ", ".join(told) or "exact"


def compare(wanted, found, marks=True):
    """How `found` differs from `wanted`, folder by folder, one to one. `marks`: compare flags and dates too."""
    difference = Difference()
    for name, items in wanted.items():
        if name not in found:
            difference.folders.append(name)
        compare_folder(items, found.get(name, []), difference, marks)
    for name, items in found.items():
        if name not in wanted:
            difference.doubled += len(items)
    return difference


def compare_folder(wanted, found, difference, marks):
    standing = defaultdict(list)
    for one in found:
        standing[one.digest].append(one)
    unmatched = []
    for one in wanted:
        equal = standing[one.digest]
        if not equal:
            unmatched.append(one)
            continue
        # Of exact copies the one with the same marks, if there is one.
        same = next((at for at, other in enumerate(equal) if (other.flags, other.date) == (one.flags, one.date)), 0)
        other = equal.pop(same)
        if marks:
            difference.flags += other.flags != one.flags
            difference.dates += None not in (one.date, other.date) and other.date != one.date
    left = Counter(other.name for others in standing.values() for other in others)
    for one in unmatched:
        if left[one.name]:
            left[one.name] -= 1
            difference.altered += 1
        else:
            difference.missing += 1
    difference.doubled += sum(left.values())
