//! One run at a time: a second one leaves at once, whatever the job keeps.

use super::backup::backup;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn;
use crate::support::{Corpus, End, Imap, Job, fresh_user, mailhaul, shared};
use std::time::{Duration, Instant};

#[test]
fn a_second_run_of_any_job_leaves_at_once() {
    for keeps in [false, true] {
        let (old, new) = (fresh_user("locked"), fresh_user("locked-new"));
        Imap::login(shared().imap, &old).append("INBOX", &Corpus::new(&old, 3).mails(3));
        let proxy = Proxy::start(shared().imap, |n| match n {
            0 => vec![Fault::Stall(Side::Down, 1_000)],
            _ => vec![],
        });
        let source = End::at("imap", "127.0.0.1", proxy.port, &old).line("security = \"plain\"");
        let job = match keeps {
            true => backup(&source, ""),
            false => Job::new("", &source, &End::imap(shared(), &new), ""),
        };
        let mut first = spawn(&["run".as_ref(), job.path().as_os_str()]);
        let began = Instant::now();
        while proxy.connections() == 0 || !job.journal().exists() {
            assert!(began.elapsed() < Duration::from_secs(60) && !first.ended());
            std::thread::sleep(Duration::from_millis(20));
        }
        let path = job.path();
        let path = path.to_string_lossy();
        for second in [
            &["run", &*path][..],
            &["undo", &path, "--run", "1", "--yes"],
        ] {
            let second = mailhaul(second);
            assert_eq!(second.code, Some(12), "{}", second.stderr);
        }
        assert!(!first.ended());
        first.kill();
        mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    }
}
