"""IMAP and POP3 over raw sockets, as little of them as the bench needs."""
import re
import socket

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Imap:
    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", buffering=1 << 18)
        self.line()
        self.ask(f"LOGIN {user} secret".encode())

    def line(self):
        line = self.reader.readline()
        if not line:
            raise OSError("the server closed the connection")
        return line

    def send(self, data):
        self.socket.sendall(data)

    def until(self, tag, on=None):
        """Reads to the tagged answer. `on` gets each literal with the line before it."""
        lines = []
        while True:
            line = self.line()
            announced = LITERAL.search(line)
            if announced:
                literal = self.reader.read(int(announced[1]))
                if on:
                    on(line, literal, self.line())
            elif line.startswith(tag + b" "):
                if not line.startswith(tag + b" OK"):
                    raise OSError(f"the server refuses: {line[:300]!r}")
                return lines
            else:
                lines.append(line)

    def ask(self, command):
        self.send(b"x " + command + b"\r\n")
        return self.until(b"x")

    def folders(self):
        """Names as they stand on the wire, quoted where need be; those that cannot be opened left out."""
        found = []
        for line in self.listed():
            match = re.match(rb'\* LIST \(([^)]*)\) (?:"[^"]*"|NIL) (.*)\r\n$', line)
            if match and rb"\Noselect" not in match[1] and rb"\NonExistent" not in match[1]:
                found.append(match[2])
        return found

    def listed(self):
        self.send(b'x LIST "" *\r\n')
        lines = []
        while True:
            line = self.line()
            announced = LITERAL.search(line)
            if announced:
                name = self.reader.read(int(announced[1]))
                quoted = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
                line = line[: announced.start()] + quoted + self.line()
            if line.startswith(b"x "):
                return lines
            lines.append(line)

    def close(self):
        self.reader.close()
        self.socket.close()


class Pop3:
    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", buffering=1 << 18)
        self.reader.readline()
        self.ask(f"USER {user}")
        self.ask("PASS secret")

    def ask(self, command):
        self.socket.sendall(f"{command}\r\n".encode())
        return self.answer()

    def answer(self):
        line = self.reader.readline()
        if not line.startswith(b"+OK"):
            raise OSError(f"the server refuses: {line[:300]!r}")
        return line

    def count(self):
        return int(self.ask("STAT").split()[1])

    def retrieve(self, number):
        """The bytes of a message, dots unstuffed."""
        self.ask(f"RETR {number}")
        lines = []
        while (line := self.reader.readline()) != b".\r\n":
            if not line:
                raise OSError("the server closed the connection")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def close(self):
        self.reader.close()
        self.socket.close()
