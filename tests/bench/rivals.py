"""The other programs that Debian has, each told to do the same work."""
import os
import pwd
import shutil
from dataclasses import dataclass

PASSWORD = "secret"


def write(path, text, mode=0o600):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


# Each gets a task (see task.py) and gives its command line. `task.dir` is an empty directory of its own, `task.out` where files go.


def mbsync(task):
    """IMAP to IMAP, IMAP to Maildir, Maildir to IMAP."""

    def imap(name, port, user):
        tls = f"SSLType IMAPS\nCertificateFile {task.ca}\n" if task.tls else "SSLType None\n"
        return (
            f"IMAPAccount {name}\nHost localhost\nPort {port}\nUser {user}\nPass {PASSWORD}\nAuthMechs LOGIN\n{tls}\n"
            f"IMAPStore {name}\nAccount {name}\n\n"
        )

    def maildir(name, path, inbox):
        return f"MaildirStore {name}\nPath {path}/\nInbox {inbox}\nSubFolders Verbatim\n\n"

    far = maildir("far", task.files, task.files) if task.kind == "maildir-imap" else imap("far", task.source, "old")
    near = maildir("near", task.out, f"{task.out}/INBOX") if task.kind == "imap-maildir" else imap("near", task.sink, task.user)
    state = f"{task.dir}/state"
    os.mkdir(state)
    channel = f"Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync PullNew\nCopyArrivalDate yes\nSyncState {state}/\n"
    return ["mbsync", "-q", "-c", write(f"{task.dir}/mbsyncrc", far + near + channel), "-a"]


def interimap(task):
    def end(name, port, user):
        kind = f"type = imaps\nSSL_verify = YES\nSSL_CAfile = {task.ca}\n" if task.tls else "type = imap\nSTARTTLS = NO\n"
        return f"[{name}]\nhost = 127.0.0.1\nport = {port}\nusername = {user}\npassword = {PASSWORD}\n{kind}\n"

    text = f"database = {task.dir}/interimap.db\n\n" + end("local", task.sink, task.user) + end("remote", task.source, "old")
    return ["interimap", "--quiet", f"--config={write(f'{task.dir}/config', text)}"]


def imapcopy(task):
    text = (
        f"SourceServer localhost\nSourcePort {task.source}\nDestServer localhost\nDestPort {task.sink}\n"
        f'DenyFlags "\\Recent"\nCopy "old" "{PASSWORD}" "{task.user}" "{PASSWORD}"\n'
    )
    write(f"{task.dir}/ImapCopy.cfg", text)
    return ["imapcopy"]


def offlineimap(task):
    def imap(name, port, user):
        tls = f"ssl = yes\nsslcacertfile = {task.ca}" if task.tls else "ssl = no\nstarttls = no"
        return (
            f"[Repository {name}]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\nremoteuser = {user}\n"
            f"remotepass = {PASSWORD}\nmaxconnections = 4\nauth_mechanisms = LOGIN\n{tls}\n"
        )

    if task.kind == "imap-maildir":
        near = f"[Repository near]\ntype = Maildir\nlocalfolders = {task.out}\nsep = /\n"
    else:
        near = imap("near", task.sink, task.user)
    text = (
        f"[general]\naccounts = all\nmetadata = {task.dir}/meta\nui = quiet\nfsync = false\n"
        f"[Account all]\nlocalrepository = near\nremoterepository = far\n{near}{imap('far', task.source, 'old')}readonly = True\n"
    )
    return ["offlineimap", "-o", "-u", "quiet", "-c", write(f"{task.dir}/offlineimaprc", text)]


def doveadm(task):
    """It reads over IMAP, and writes the destination's files itself."""
    config = task.pair.new.at["dir"] + "/dovecot.conf"
    options = [
        "imapc_host=127.0.0.1", f"imapc_port={task.source}", "imapc_user=old", f"imapc_password={PASSWORD}",
        "imapc_features=rfc822.size fetch-headers", f"imapc_ssl={'imaps' if task.tls else 'no'}",
    ]
    if task.tls:
        options.append(f"ssl_client_ca_file={task.ca}")
    if task.kind == "imap-maildir":
        options.append(f"mail_location=maildir:{task.out}:LAYOUT=fs")
    words = [word for option in options for word in ("-o", option)]
    return ["doveadm", "-c", config, *words, "backup", "-R", "-u", task.user, "imapc:"]


def mpop(task):
    text = (
        f"account default\nhost 127.0.0.1\nport {task.source}\nuser old\npassword {PASSWORD}\ntls off\nauth user\nkeep on\n"
        f"delivery maildir {task.maildir()}\nuidls_file {task.dir}/uidls\nreceived_header off\n"
    )
    return ["mpop", "--quiet", f"--file={write(f'{task.dir}/mpoprc', text)}"]


def fetchmail(task):
    filter_file = write(f"{task.dir}/mailfilter", f'to "{task.maildir()}"\n')
    text = (
        f'poll 127.0.0.1 protocol pop3 port {task.source} auth password uidl\n  user "old" password "{PASSWORD}" keep fetchall '
        f'sslproto "" mda "/usr/bin/maildrop {filter_file}"\n'
    )
    return [
        "fetchmail", "--silent", "--nosyslog", "--fetchmailrc", write(f"{task.dir}/fetchmailrc", text),
        "--idfile", f"{task.dir}/ids", "--pidfile", f"{task.dir}/pid",
    ]


def getmail(task):
    # It refuses to deliver as root.
    user = f"user = {pwd.getpwuid(task.pair.new.owner[0]).pw_name}\n" if os.geteuid() == 0 else ""
    text = (
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {task.source}\nusername = old\npassword = {PASSWORD}\n"
        f"[destination]\ntype = Maildir\npath = {task.maildir()}/\n{user}"
        "[options]\ndelete = false\nread_all = true\nverbose = 0\ndelivered_to = false\nreceived = false\n"
    )
    write(f"{task.dir}/getmailrc", text)
    return ["getmail", f"--getmaildir={task.dir}"]


@dataclass
class Rival:
    name: str
    package: str
    program: str
    kinds: tuple
    command: object
    tls: bool = True
    good: tuple = (0,)
    """Exit codes of a run that went through."""
    slow: bool = False
    """Known to take many times the limit: it is given less time."""

    def missing(self):
        return shutil.which(self.program) is None


RIVALS = [
    Rival("mbsync", "isync", "mbsync", ("imap-imap", "imap-maildir", "maildir-imap"), mbsync),
    Rival("interimap", "interimap", "interimap", ("imap-imap",), interimap),
    Rival("doveadm backup", "dovecot-core", "doveadm", ("imap-imap", "imap-maildir"), doveadm, good=(0, 2)),
    Rival("imapcopy", "imapcopy", "imapcopy", ("imap-imap",), imapcopy, tls=False, slow=True),
    Rival("offlineimap", "offlineimap3", "offlineimap", ("imap-imap", "imap-maildir"), offlineimap, slow=True),
    Rival("mpop", "mpop", "mpop", ("pop3-maildir",), mpop),
    Rival("fetchmail + maildrop", "fetchmail maildrop", "maildrop", ("pop3-maildir",), fetchmail, slow=True),
    Rival("getmail6", "getmail6", "getmail", ("pop3-maildir",), getmail, slow=True),
]


def of(kind, tls=False):
    """Those that can do this work: installed, and missing."""
    able = [rival for rival in RIVALS if kind in rival.kinds and (rival.tls or not tls)]
    return [rival for rival in able if not rival.missing()], [rival for rival in able if rival.missing()]
