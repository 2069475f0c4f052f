//! Many accounts from a CSV: each has its own outcome, and one that fails holds up no other.

use super::run;
use crate::support::{Corpus, End, Imap, Job, Run, fresh_user, mailhaul, shared};
use std::fmt::Write;

const NAMES: [&str; 5] = ["ani", "budi", "citra", "dewi", "eko"];
const MESSAGES: usize = 12;

/// Five accounts: budi's password at the source is wrong, dewi's archive belongs to somebody else.
struct Five {
    job: Job,
    stem: String,
}

impl Five {
    fn new() -> Five {
        let (server, stem) = (shared(), fresh_user("csv"));
        let mut csv = "name;old;new;password\n".to_owned();
        for (i, name) in NAMES.iter().enumerate() {
            let (old, new) = (format!("{stem}-{name}"), format!("{stem}-{name}-new"));
            let mut corpus = Corpus::new(&old, i as u64);
            Imap::login(server.imap, &old).append("INBOX", &corpus.mails(MESSAGES));
            let password = if *name == "budi" { "wrong" } else { "secret" };
            writeln!(csv, "{name};{old};{new};{password}").expect("a string");
        }
        let source = End::imap(server, "{old}").password("{ command = \"echo {password}\" }");
        let to = End::imap(server, "{new}");
        let top = "accounts = \"users.csv\"\nparallel-accounts = 2";
        let archive = "[archive]\npath = \"{name}.archive\"\n";
        let five = Five {
            job: Job::new(top, &source, &to, archive),
            stem,
        };
        std::fs::write(five.job.dir().join("users.csv"), csv).expect("write");
        five.take_archive_of_dewi();
        five
    }

    /// Another job has put another account's mail there before.
    fn take_archive_of_dewi(&self) {
        let server = shared();
        let other = format!("{}-other", self.stem);
        Imap::login(server.imap, &other).append("INBOX", &Corpus::new(&other, 9).mails(2));
        let to = End::imap(server, &format!("{other}-new"));
        let archive = "[archive]\npath = \"dewi.archive\"\n";
        let job = Job::new("", &End::imap(server, &other), &to, archive);
        run(&job).exits(0);
        let (from, to) = (job.dir().join("dewi.archive"), self.job.dir());
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .args([&from, to])
            .status();
        assert!(copied.expect("cp").success());
    }

    fn at_the_destination(&self, name: &str) -> usize {
        let user = format!("{}-{name}-new", self.stem);
        Imap::login(shared().imap, &user).count("INBOX") as usize
    }

    fn run(&self, args: &[&str]) -> Run {
        let path = self.job.path();
        let path = path.to_string_lossy();
        mailhaul(&[&["run"], args, &[&path]].concat())
    }
}

fn lines(run: &Run, kind: &str) -> Vec<serde_json::Value> {
    let all = run.stdout.lines();
    let all = all.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    all.filter(|line| line["type"] == kind).collect()
}

#[test]
fn the_others_come_to_their_end() {
    let five = Five::new();
    let said = five.run(&["--json"]).exits(12);
    let ends = lines(&said, "account-done");
    for name in NAMES {
        let of_name: Vec<_> = ends.iter().filter(|e| e["account"] == name).collect();
        assert_eq!(of_name.len(), 1, "{name}: {}", said.stdout);
        let (code, copied) = match name {
            "budi" => ("auth", 0),
            "dewi" => ("foreign", 0),
            _ => ("", MESSAGES),
        };
        assert_eq!(
            of_name[0]["error"]["code"].as_str().unwrap_or(""),
            code,
            "{name}"
        );
        assert_eq!(of_name[0]["outcomes"]["copied"], copied, "{name}");
        assert_eq!(five.at_the_destination(name), copied, "{name}");
    }
    let summary = &lines(&said, "summary")[0];
    assert_eq!(
        (&summary["accounts"], &summary["ended_early"]),
        (&5.into(), &2.into())
    );
    again(&five);
}

/// The second run, and runs of single accounts.
fn again(five: &Five) {
    let said = five.run(&[]).exits(12);
    let idle = said
        .stdout
        .matches("nothing to do: all 12 messages")
        .count();
    assert_eq!(idle, 3, "{}", said.stdout);
    for (account, code) in [("budi", "auth"), ("dewi", "foreign")] {
        let told = format!("error[{code}]: {account}: ");
        assert!(
            said.stderr.contains(&told),
            "{told:?} not in:\n{}",
            said.stderr
        );
    }
    assert!(
        said.stdout.contains("5 accounts: 3 to their end, 2 not"),
        "{}",
        said.stdout
    );
    let one = five.run(&["--account", "citra"]).exits(0);
    assert!(
        !one.stdout.contains("ani") && one.stdout.contains("citra"),
        "{}",
        one.stdout
    );
    five.run(&["--account", "budi"]).exits(10);
    five.run(&["--account", "dewi"]).exits(12);
    let path = five.job.path();
    let status = mailhaul(&["status".as_ref(), path.as_os_str()]).exits(12);
    for name in ["ani", "citra", "eko"] {
        assert!(
            status.stdout.lines().any(|line| line == name),
            "{}",
            status.stdout
        );
    }
    assert!(
        status.stderr.contains("error[foreign]: dewi: "),
        "{}",
        status.stderr
    );
}
