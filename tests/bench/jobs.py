"""Job files of mailhaul, and how it is run."""
import os
import shutil

from server import TOP

BINARY = os.environ.get("MAILHAUL", f"{TOP}/target/release/mailhaul")


class Server:
    """An end of a job that is a server."""

    def __init__(self, protocol, port, user, ca=None):
        """`ca`: the certificate's authority, for TLS."""
        self.protocol, self.port, self.user, self.ca = protocol, port, user, ca

    def lines(self):
        security = f'security = "tls"\nca-file = "{self.ca}"' if self.ca else 'security = "plain"'
        return (
            f'protocol = "{self.protocol}"\nhost = "127.0.0.1"\nport = {self.port}\n{security}\n'
            f'user = "{self.user}"\npassword = {{ env = "BENCH_PASSWORD" }}\n'
        )


class Files:
    """An end of a job that is a directory."""

    def __init__(self, protocol, path, more=""):
        self.protocol, self.path, self.more = protocol, path, more

    def lines(self):
        return f'protocol = "{self.protocol}"\npath = "{self.path}"\n{self.more}'


class Job:
    def __init__(self, directory, name, source, destination, archive=""):
        """`destination`: none for a backup. `archive`: keys of [archive]; without any only the journal is kept, beside the job."""
        self.path, self.state = f"{directory}/{name}.toml", f"{directory}/{name}.state"
        ends = f"[source]\n{source.lines()}" + (f"[destination]\n{destination.lines()}" if destination else "")
        section = f"[archive]\n{archive}" if archive else ""
        with open(self.path, "w") as file:
            file.write(f"version = 1\n{ends}{section}")

    def command(self, *options):
        return [BINARY, "run", self.path, *options]

    def forget(self):
        """Takes away what it knows: the journal."""
        shutil.rmtree(self.state, ignore_errors=True)
