"""Raw sockets that do nothing else: what the servers themselves allow. Everything is sent ahead, nothing is looked at.

Which connection does what is known before the clock starts, as no real client knows it: that is what makes it a limit.
Each gives seconds, of the best number of connections.
"""
import select
import threading
import time

from wire import Imap, Pop3

CONNECTIONS = (1, 2, 4)


def best(work, connections=CONNECTIONS):
    """The quickest of one try with each number of connections."""
    return min(work(number) for number in connections)


def timed(workers):
    """Runs them at once; seconds until the last one is done."""
    failed = []

    def guarded(work):
        try:
            work()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in workers]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.monotonic() - began


def shares(folders, number):
    """Splits folders, {name: sizes of its messages}, into `number` lists of (name, first, last), about equal in bytes."""
    whole = sum(map(sum, folders.values())) + 1
    parts, taken = [[] for _ in range(number)], 0
    for name, sizes in folders.items():
        first = 1
        for at, size in enumerate(sizes, 1):
            mine = taken * number // whole
            taken += size
            if at == len(sizes) or taken * number // whole != mine:
                parts[mine].append((name, first, at))
                first = at + 1
    return [part for part in parts if part]


def swallow(link, least):
    """Reads to the end of the stream, which a good-bye sent ahead brings; at least so many bytes have to come."""
    buffer, total = bytearray(1 << 20), 0
    while read := link.socket.recv_into(buffer):
        total += read
    if total < least:
        raise OSError(f"only {total} bytes came instead of {least}: a command was refused")


def fetch(port, user, folders, what=b"FLAGS INTERNALDATE BODY.PEEK[]", whole=True):
    """Everything that stands in `folders`, as [`shares`] has them. `whole`: all the bytes have to come."""

    def one(part):
        link = Imap(port, user)
        commands = b"".join(b"x EXAMINE %b\r\nx FETCH %d:%d (UID %b)\r\n" % (name, first, last, what) for name, first, last in part)
        link.send(commands + b"x LOGOUT\r\n")
        swallow(link, sum(sum(folders[name][first - 1 : last]) for name, first, last in part) if whole else 1)
        link.close()

    return best(lambda number: timed([lambda part=part: one(part) for part in shares(folders, number)]))


def headers(port, user, folders):
    return fetch(port, user, folders, b"FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]", False)


def store(port, account, mail):
    """One MULTIAPPEND a folder and connection. `mail`: {name: messages}; `account` gives a fresh user each time."""
    folders = {name: [len(message) for message in messages] for name, messages in mail.items()}

    def one(user, part):
        link = Imap(port, user)
        answers = 0
        for name, first, last in part:
            if name != b"INBOX":
                send(link, b"x CREATE " + name + b"\r\n")
                answers += 1
        for name, first, last in part:
            pieces = [b"x APPEND " + name]
            for message in mail[name][first - 1 : last]:
                pieces += [b" {%d+}\r\n" % len(message), message]
            pieces.append(b"\r\n")
            send(link, b"".join(pieces))
            answers += 1
        link.socket.setblocking(True)
        settle(link, answers)
        link.close()

    def work(number):
        user = account()
        return timed([lambda part=part: one(user, part) for part in shares(folders, number)])

    return best(work)


def send(link, data):
    """Sends all of it; what the server says meanwhile stays in the socket, which is roomy enough for a few answers."""
    view = memoryview(data)
    while view:
        select.select([], [link.socket], [])
        view = view[link.socket.send(view[: 1 << 20]) :]


def settle(link, answers):
    """Waits for the answers. A folder that another connection made first is no failure."""
    while answers:
        line = link.line()
        if line.startswith(b"x "):
            if not line.startswith(b"x OK") and b"ALREADYEXISTS" not in line:
                raise OSError(f"the server refuses: {line[:300]!r}")
            answers -= 1


def retrieve(port, user, size):
    """All of a maildrop of `size` bytes, RETR pipelined, over one connection: POP3 locks the maildrop."""
    link = Pop3(port, user)
    count = link.count()
    link.close()

    def one():
        link = Pop3(port, user)
        link.socket.sendall(b"UIDL\r\n" + b"".join(b"RETR %d\r\n" % at for at in range(1, count + 1)) + b"QUIT\r\n")
        swallow(link, size)
        link.close()

    # The first may wait for the lock of the look above.
    return min(timed([one]) for _ in range(2))
