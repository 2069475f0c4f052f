"""Raw sockets that do nothing else: what the servers themselves allow over one connection each."""
import re
import socket
import threading
import time


def login(port, user):
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = link.makefile("rb", buffering=1 << 18)
    reader.readline()
    ask(link, reader, f"LOGIN {user} secret")
    return link, reader


def ask(link, reader, command):
    link.sendall(f"x {command}\r\n".encode())
    lines = []
    while True:
        line = reader.readline()
        lines.append(line)
        if line.startswith(b"x "):
            return lines
        if not line:
            raise OSError("the server closed the connection")


def fetch(port, user):
    """All folders in one stream; gives seconds and, by folder, the messages."""
    began = time.monotonic()
    link, reader = login(port, user)
    names = [line.split(b'"/" ', 1)[1].strip() for line in ask(link, reader, 'LIST "" *') if b'"/" ' in line]
    for name in names:
        link.sendall(b"e EXAMINE " + name + b"\r\nf UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])\r\n")
    mail = {}
    for name in names:
        mail[name] = []
        while True:
            line = reader.readline()
            announced = re.search(rb"\{(\d+)\}\r\n$", line)
            if announced:
                mail[name].append(reader.read(int(announced[1])))
            elif line.startswith(b"f ") or not line:
                break
    link.close()
    return time.monotonic() - began, mail


def multiappend(port, user, mail):
    """One MULTIAPPEND a folder, none waited for before the next; gives seconds."""
    began = time.monotonic()
    link, reader = login(port, user)
    answers = 2 * len(mail)

    def listen():
        left = answers
        while left:
            line = reader.readline()
            if not line:
                return
            left -= line.startswith(b"x ")

    listener = threading.Thread(target=listen)
    listener.start()
    for name, messages in mail.items():
        link.sendall(b"x CREATE " + name + b"\r\nx APPEND " + name)
        for message in messages:
            link.sendall(b" {%d+}\r\n" % len(message))
            link.sendall(message)
        link.sendall(b"\r\n")
    listener.join()
    link.close()
    return time.monotonic() - began
