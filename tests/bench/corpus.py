"""A seeded corpus in a Dovecot's Maildirs: log-normal sizes, median 8 KiB, mean 32 KiB, largest 12 MiB.

Among it: a few exact copies and a few other messages with the same Message-ID, 8-bit bytes and NUL, flags, keywords, dates over
15 years, and folders with difficult names.
"""
import base64
import math
import os
import random

LARGEST = 12 << 20
FLAGS = ("", "S", "RS", "FS", "S", "Sa", "Sab", "DS")
KEYWORDS = "0 $Forwarded\n1 Project-X\n"
LINE = bytes(97 + at % 26 for at in range(70)) + b"\n"
SUBJECTS = ("Tagesordnung", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Re: Re: the long one", "=?utf-8?B?5pel5pys6Kqe?=")
NAMES = (
    "Sent", "Entwürfe", "日本語", "A & B", 'He said "yes"', "[Lists] (all)", "Projects/2019/Winter", "Projects/2019", "Projects",
    "100 € und mehr", "x" * 120, "Ärger und Öl",
)
"""Of folders beside INBOX; more are called by numbers."""
YEARS = 15 * 365 * 86400


def wire_name(name):
    """Modified UTF-7 (RFC 3501, 5.1.3), which Dovecot's Maildirs use too."""
    parts, pending = [], ""

    def flush():
        nonlocal pending
        if pending:
            code = base64.b64encode(pending.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            parts.append(f"&{code}-")
            pending = ""

    for char in name:
        if " " <= char <= "~":
            flush()
            parts.append("&-" if char == "&" else char)
        else:
            pending += char
    flush()
    return "".join(parts)


def folder_names(folders):
    """INBOX first."""
    more = [f"Folder {at:03}" for at in range(len(NAMES) + 1, folders)]
    return (["INBOX", *NAMES, *more])[:folders]


def head(draw, number):
    name = f"<bench.{number}.{draw.getrandbits(48):x}@example.org>"
    return (
        f"Received: from a.example by b.example; Mon, 6 Jan 2020 10:{number % 60:02}:00 +0100\n"
        f"From: Sender {number % 97} <s{number % 97}@example.org>\nTo: budi@example.org\n"
        f"Subject: {SUBJECTS[number % len(SUBJECTS)]} {number}\nDate: Mon, 6 Jan 2020 10:{number % 60:02}:00 +0100\n"
        f"Message-ID: {name}\n"
    ).encode()


def message(draw, number, size):
    """One message with LF line ends, about `size` bytes."""
    top = head(draw, number) + b"\n"
    odd = (b"Gr\xfc\xdfe in 8 bits\n", b"a NUL \0 inside\n")[number % 2] if number % 25 == 3 else b""
    first = f"{draw.getrandbits(64):016x}\n".encode()
    lines = max(1, (size - len(top) - len(odd) - len(first)) // len(LINE))
    return top + first + odd + LINE * lines


def messages(draw, count, sizes):
    """Each message in turn: every 600th is a copy of the one before, every 500th only has its Message-ID."""
    last = b""
    for number in range(count):
        data = message(draw, number, sizes(draw))
        if number % 600 == 599:
            data = last
        elif number % 500 == 499:
            data = last.replace(b"\n\n", b"\n\nanother text\n", 1).replace(b"Subject:", b"Subject: other", 1).replace(b"10:", b"11:")
        last = data
        yield number, data


def log_normal(draw):
    # For a log-normal, mean / median = exp(sigma² / 2).
    return int(min(LARGEST, draw.lognormvariate(math.log(8192), math.sqrt(2 * math.log(4)))))


def make(server, user, count, folders, seed=1, sizes=log_normal):
    """Puts `count` messages into `folders` of `user`; gives their bytes."""
    draw = random.Random(seed)
    root, made, total = f"{server.home(user)}/Maildir", [], 0
    for at, name in enumerate(folder_names(folders)):
        path = f"{root}/{wire_name(name)}" if at else root
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{path}/{part}", exist_ok=True)
        with open(f"{path}/dovecot-keywords", "w") as file:
            file.write(KEYWORDS)
        made.append(path)
    for number, data in messages(draw, count, sizes):
        total += len(data)
        # Few large folders and many small ones, none empty while there are messages enough.
        at = number if number < folders else min(int(draw.expovariate(3 / folders)), folders - 1)
        date = 1_100_000_000 + number * YEARS // max(1, count)
        path = f"{made[at]}/cur/{date}.M{number}.bench:2,{FLAGS[number % len(FLAGS)]}"
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, (date, date))
    for path, _, files in os.walk(root):
        for one in [path] + [f"{path}/{file}" for file in files]:
            os.chown(one, *server.owner)
    return total
