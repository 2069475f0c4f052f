//! Mail put straight into a user's Maildir: byte for byte what is given, also what APPEND would refuse or change.

use super::{Dovecot, Mail};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Fills the INBOX of a user of a `format=maildir` server; the files' time is the mail's date.
/// Names sort in the order given, which makes it the order of the UIDs.
pub fn fill(server: &Dovecot, user: &str, mails: &[Mail]) {
    let home = server.home(user);
    let maildir = home.join("Maildir");
    for dir in [&home, &maildir] {
        make(server, dir);
    }
    for name in ["cur", "new", "tmp"] {
        make(server, &maildir.join(name));
    }
    let first = fs::read_dir(maildir.join("new")).expect("new/").count()
        + fs::read_dir(maildir.join("cur")).expect("cur/").count();
    for (i, mail) in mails.iter().enumerate() {
        let path = maildir.join(format!("new/1000000000.M{:08}P1.test", first + i));
        let mut file = File::create(&path).expect("create");
        file.write_all(&mail.bytes).expect("write");
        let date = Duration::from_secs(u64::try_from(mail.date).unwrap_or(0));
        file.set_modified(SystemTime::UNIX_EPOCH + date)
            .expect("time");
        own(server, &path);
    }
}

fn make(server: &Dovecot, dir: &Path) {
    if !dir.exists() {
        fs::create_dir(dir).expect("mkdir");
        own(server, dir);
    }
}

fn own(server: &Dovecot, path: &Path) {
    chown(path, Some(server.uid), Some(server.gid)).expect("chown");
}
