"""A seeded corpus in a Dovecot's Maildirs: log-normal sizes, median 8 KiB, mean 32 KiB, largest 12 MiB."""
import math
import os
import random

FLAGS = ("", "S", "RS", "FS", "S")
LINE = b"".join(bytes([97 + at % 26]) for at in range(70))


def message(draw, number, size):
    """One message with LF line ends, about `size` bytes."""
    head = (
        f"Received: from a.example by b.example; Mon, 6 Jan 2020 10:{number % 60:02}:00 +0100\n"
        f"From: Sender {number % 97} <s{number % 97}@example.org>\nTo: budi@example.org\n"
        f"Subject: Message {number}\nDate: Mon, 6 Jan 2020 10:{number % 60:02}:00 +0100\n"
        f"Message-ID: <bench.{number}.{draw.getrandbits(48):x}@example.org>\n\n"
    ).encode()
    lines = max(1, (size - len(head)) // 71)
    first = f"{draw.getrandbits(64):016x}".encode()
    return head + (first + LINE[16:] + b"\n") + (LINE + b"\n") * (lines - 1)


def fill(server, user, messages, folders, seed=1, sizes=None):
    """Puts `messages` into `folders` of `user`; gives their bytes. `sizes`: a function of the draw instead of log-normal."""
    draw = random.Random(seed)
    # For a log-normal, mean / median = exp(sigma² / 2).
    sigma = math.sqrt(2 * math.log(4))
    home = f"{server['dir']}/home/{user}"
    made, total = [], 0
    for at in range(folders):
        path = f"{home}/Maildir" + (f"/Folder {at:02}" if at else "")
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{path}/{part}")
        made.append(path)
    for number in range(messages):
        size = sizes(draw) if sizes else int(min(12 << 20, draw.lognormvariate(math.log(8192), sigma)))
        data = message(draw, number, size)
        total += len(data)
        folder = made[min(int(draw.expovariate(3 / folders)), folders - 1)]
        name = f"{folder}/cur/{1500000000 + number}.M{number}.bench:2,{FLAGS[number % len(FLAGS)]}"
        with open(name, "wb") as file:
            file.write(data)
        os.utime(name, (1500000000 + number,) * 2)
    for path, names, files in os.walk(home):
        for one in [path] + [f"{path}/{file}" for file in files]:
            os.chown(one, int(server["uid"]), int(server["gid"]))
    return total
