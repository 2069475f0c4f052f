//! The power goes: what stands in the archive and the journal is what the disk had been made to keep. A file system of their own
//! in an image; killed at step n, the image is copied as it is on the disk, and the copy goes on.

use super::kills::mails;
use super::steps::{each, passed, same};
use crate::support::job::ARCHIVE;
use crate::support::run::spawn_as;
use crate::support::{
    End, Imap, Job, Run, Snapshot, fresh_user, impatient, maildir, popped, shared, tell,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An ext4 file system in a file, mounted on a directory until this is dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Result<Disk, String> {
        let disk = Disk {
            dir: tempfile::tempdir().expect("a directory"),
        };
        let image = disk.image();
        let made = std::fs::File::create(&image).and_then(|file| file.set_len(24 << 20));
        made.map_err(|e| e.to_string())?;
        command("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &image])?;
        disk.mount()?;
        Ok(disk)
    }

    /// As it is on the disk at this moment: what only memory has is not in it.
    fn copy(&self) -> Result<Disk, String> {
        let copy = Disk {
            dir: tempfile::tempdir().expect("a directory"),
        };
        std::fs::copy(self.image(), copy.image()).map_err(|e| e.to_string())?;
        copy.mount()?;
        Ok(copy)
    }

    /// The system writes back of its own accord only after minutes.
    fn mount(&self) -> Result<(), String> {
        std::fs::create_dir(self.root()).map_err(|e| e.to_string())?;
        let options = Path::new("loop,commit=300");
        command(
            "mount",
            &["-o".as_ref(), options, &self.image(), &self.root()],
        )
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A run that was killed may still be going.
        for _ in 0..50 {
            if command("umount", &[&self.root()]).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn command(name: &str, words: &[&Path]) -> Result<(), String> {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new(name).args(words).env("PATH", path).output();
    let output = output.map_err(|e| format!("{name}: {e}"))?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(words)
}

fn job_on(disk: &Disk, old: &str, new: &str) -> Job {
    let archive = ARCHIVE.replace(
        "box.archive",
        &disk.root().join("box.archive").to_string_lossy(),
    );
    let (source, sink) = (End::pop3(shared(), old), End::imap(shared(), new));
    Job::new("", &source, &sink, &archive)
}

fn killed_at(job: &Job, n: u64) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(job.path());
    spawn_as(command, &[("MAILHAUL_FAIL_AT", n.to_string().as_ref())]).wait()
}

#[test]
fn what_the_disk_was_made_to_keep_is_enough() {
    let name = "what_the_disk_was_made_to_keep_is_enough";
    if std::env::var_os("MAILHAUL_ALL").is_none() {
        return tell(&format!("{name} is left out; tests/run --all has it"));
    }
    if let Err(why) = Disk::new() {
        return tell(&format!(
            "{name} is left out, a file system cannot be mounted: {}",
            why.trim()
        ));
    }
    let old = fresh_user("power-old");
    let mails = mails(false);
    maildir::fill(shared(), &old, &mails);
    let want = Snapshot::one("INBOX", &popped(&mails));
    let disk = Disk::new().expect("a disk");
    let steps = passed(&job_on(&disk, &old, &fresh_user("power-steps")));
    drop(disk);
    each("power cut", &steps, |n| {
        let new = fresh_user("power");
        let disk = Disk::new()?;
        let was_killed = killed_at(&job_on(&disk, &old, &new), n).code.is_none();
        let rest = disk.copy()?;
        let job = job_on(&rest, &old, &new);
        for copied in [None, Some(0)] {
            let run = impatient(&job);
            if run.code != Some(0) {
                return Err(format!("{:?}\n{}\n{}", run.code, run.stdout, run.stderr));
            }
            same(&Snapshot::of(shared().imap, &new).without_empty(), &want)?;
            if copied.is_some_and(|copied| run.balance().part("copied") != copied) {
                return Err(format!("it copied again:\n{}", run.stdout));
            }
        }
        kept(&rest.root().join("box.archive/mail"), mails.len())?;
        Ok(was_killed)
    });
}

/// The archive has as many messages, none of them empty.
fn kept(mail: &Path, count: usize) -> Result<(), String> {
    let mut sizes = Vec::new();
    for place in ["cur", "new"] {
        for entry in std::fs::read_dir(mail.join(place))
            .into_iter()
            .flatten()
            .flatten()
        {
            sizes.push(entry.metadata().map_err(|e| e.to_string())?.len());
        }
    }
    let right = sizes.len() == count && sizes.iter().all(|&size| size > 0);
    right
        .then_some(())
        .ok_or_else(|| format!("kept: {sizes:?}"))
}

/// By the system's own record: a message's file is durable before it gets its name, the name before the journal says so, and the
/// journal's intent before the first byte of an APPEND.
#[test]
fn durable_in_the_right_order() {
    let (old, new) = (fresh_user("order-old"), fresh_user("order"));
    let mails = mails(false);
    maildir::fill(shared(), &old, &mails);
    let job = Job::new(
        "",
        &End::pop3(shared(), &old),
        &End::imap(shared(), &new),
        ARCHIVE,
    );
    let record = job.dir().join("record");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-q", "-q", "-y", "-s", "40", "-e"])
        .arg("trace=fsync,fdatasync,rename,renameat,renameat2,sendto,write")
        .arg("-o")
        .arg(&record)
        .arg(env!("CARGO_BIN_EXE_mailhaul"))
        .arg("run")
        .arg(job.path());
    spawn_as(strace, &[]).wait().exits(0);
    assert_eq!(
        Imap::login(shared().imap, &new).count("INBOX") as usize,
        mails.len()
    );
    let text = std::fs::read_to_string(&record).expect("a record");
    let lines: Vec<&str> = text.lines().collect();
    let mut durable: HashMap<&str, usize> = HashMap::new();
    let (mut renamed, mut appends) = (0, 0);
    let journal = |line: &str| line.contains("sync(") && line.contains("journal.db");
    for (at, line) in lines.iter().enumerate() {
        if line.contains("sync(")
            && let Some(path) = between(line, '<', '>')
        {
            durable.insert(path, at);
        }
        if line.contains("rename") && line.contains("/tmp/1") {
            let mut names = line.split('"').skip(1).step_by(2);
            let (from, to) = (names.next().expect("from"), names.next().expect("to"));
            assert!(
                durable.contains_key(from),
                "{line}: its file was not made durable"
            );
            let dir = to.rsplit_once('/').expect("a directory").0;
            let later = &lines[at..];
            let named = later
                .iter()
                .position(|l| l.contains("sync(") && between(l, '<', '>') == Some(dir));
            let told = later.iter().rposition(|l| journal(l));
            assert!(
                named.is_some() && named < told,
                "{line}: its name was not made durable before the journal"
            );
            renamed += 1;
        }
        if line.contains(" APPEND ") {
            assert!(lines[..at].iter().any(|l| journal(l)), "{line}: no intent");
            appends += 1;
        }
    }
    assert!(
        renamed >= mails.len() && appends > 0,
        "{renamed} renamed, {appends} appends\n{text}"
    );
}

fn between(line: &str, open: char, close: char) -> Option<&str> {
    let (_, rest) = line.split_once(open)?;
    Some(rest.split_once(close)?.0)
}
