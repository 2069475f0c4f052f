"""One program's go at one piece of work: where it reads, where it writes, and what is found there afterwards."""
import os
import shutil
from dataclasses import dataclass

import content
import jobs
import process


@dataclass
class Task:
    pair: object
    kind: str
    """imap-imap, imap-maildir, imap-mbox, maildir-imap, pop3-imap or pop3-maildir."""
    tls: bool
    user: str
    """Of the new server; always a fresh one, also where only files are written."""
    dir: str
    files: str | None = None
    """The Maildirs, or the archive, to be read."""

    @property
    def ca(self):
        """One file with both authorities: programs that take one for all ends exist."""
        path = f"{self.pair.work}/ca.pem"
        if not os.path.exists(path):
            with open(path, "w") as file:
                for server in (self.pair.old, self.pair.new):
                    with open(f"{server.at['dir']}/ca.pem") as one:
                        file.write(one.read())
        return path

    @property
    def out(self):
        path = f"{self.dir}/out"
        if not os.path.isdir(path):
            os.mkdir(path)
            # doveadm writes as the mail's owner.
            os.chown(path, *self.pair.new.owner)
        return path

    def maildir(self):
        """An empty Maildir that exists: most programs do not make one."""
        path = f"{self.out}/INBOX"
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{path}/{part}", exist_ok=True)
            os.chown(f"{path}/{part}", *self.pair.new.owner)
        os.chown(path, *self.pair.new.owner)
        return path

    @property
    def source(self):
        if self.kind.startswith("pop3"):
            return self.pair.port("old", "pop3")
        return self.pair.port("old", "imaps" if self.tls else "imap")

    @property
    def sink(self):
        return self.pair.port("new", "imaps" if self.tls else "imap")

    def found(self):
        """What stands at the destination now."""
        if self.kind.endswith("-imap"):
            return content.of_server(self.pair.new.port("imap"), self.user)
        if self.kind.endswith("-mbox"):
            return content.of_mboxes(f"{self.out}/mail")
        return content.of_maildirs(self.out)

    def difference(self, wanted):
        """From what stands at the source, as its own protocol shows it. POP3 has neither flags nor dates, Maildirs are read without."""
        found = self.found()
        if self.kind not in ("imap-imap", "maildir-imap"):
            return content.compare(content.as_one(wanted), content.as_one(found), marks=False)
        return content.compare(wanted, found)

    def mailhaul(self):
        """The job that does this task."""
        ca = self.ca if self.tls else None
        first = "pop3" if self.kind.startswith("pop3") else "imap"
        source = jobs.Server(first, self.source, "old", ca)
        if self.kind == "maildir-imap":
            source = jobs.Files("archive", self.files)
        if self.kind.endswith("-imap"):
            return jobs.Job(self.dir, "job", source, jobs.Server("imap", self.sink, self.user, ca))
        form = "mbox" if self.kind.endswith("-mbox") else "maildir"
        return jobs.Job(self.dir, "job", source, None, f'path = "{self.out}"\nformat = "{form}"\n')

    def maildir_copy(self):
        """The job that makes Maildirs for other programs to read, folders as directories."""
        source = jobs.Server("imap", self.pair.old.port("imap"), "old")
        return jobs.Job(self.dir, "copy", source, jobs.Files("maildir", self.out, 'layout = "fs"\n'))

    def run(self, command, limit):
        """Runs a program of this task, in its own directory and with it for a home."""
        return process.run(command, limit, home=self.dir, directory=self.dir)

    def clear(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        # The destination's mail is read by nobody any more, and lies in memory.
        shutil.rmtree(f"{self.pair.new.mail}/{self.user}", ignore_errors=True)
