//! A part of an archive, restored below a folder of its own, twice; and nothing more of it.

use super::backup::{FORMATS, archive, backup, format};
use super::run;
use crate::support::{End, Imap, Job, Mail, Run, Snapshot, fresh_user, mailhaul, shared};

const DAY: i64 = 86_400;
/// 2020-01-01.
const NEW_YEAR: i64 = 1_577_836_800;

fn mail(from: &str, subject: &str, day: i64) -> Mail {
    let date = NEW_YEAR + day * DAY;
    let text = format!(
        "From: {from}\r\nTo: me@example.org\r\nSubject: {subject}\r\nMessage-ID: <{day}.{}@example.org>\r\n\r\n{subject}\r\n",
        from.len()
    );
    Mail {
        bytes: text.into_bytes(),
        flags: vec!["\\Seen".into()],
        date,
    }
}

/// Mail of Budi's and Siti's, one of each a day, the rent every tenth of Budi's; its subject is an encoded word.
fn account() -> String {
    let user = fresh_user("part");
    let mut imap = Imap::login(shared().imap, &user);
    for folder in ["Work", "Work/2020", "Private"] {
        imap.create(folder);
    }
    for folder in ["INBOX", "Work", "Work/2020", "Private"] {
        let mails: Vec<Mail> = (0..20)
            .flat_map(|day| {
                let subject = if day % 10 == 0 {
                    "=?utf-8?q?the_r=65nt?="
                } else {
                    "hello"
                };
                [
                    mail("Budi <budi@example.org>", subject, day),
                    mail("siti@example.org", subject, day),
                ]
            })
            .collect();
        imap.append(folder, &mails);
    }
    user
}

fn verify(job: &Job) -> Run {
    mailhaul(&["verify".as_ref(), job.path().as_os_str()])
}

#[test]
fn folders_dates_and_a_search_choose_what_is_restored() {
    let old = account();
    for kind in FORMATS {
        let saved = backup(&End::imap(shared(), &old), &format(kind));
        run(&saved).exits(0);
        let new = fresh_user("part-new");
        let rules = "[folders]\ninclude = [\"Work\", \"Work/*\"]\ninto = \"Restored/2026\"\n\
            [filter]\nsince = 2020-01-05\nsearch = \"from:BUDI rent\"\n";
        let source = End::files("archive", &archive(&saved));
        let job = Job::new("", &source, &End::imap(shared(), &new), rules);
        let balance = run(&job).exits(0).balance();
        balance.assert_adds_up();
        assert_eq!(
            (
                balance.total,
                balance.part("copied"),
                balance.part("skipped")
            ),
            (80, 2, 78)
        );
        let have = Snapshot::of(shared().imap, &new).without_empty();
        let names: Vec<&String> = have.0.keys().collect();
        assert_eq!(names, ["Restored/2026/Work", "Restored/2026/Work/2020"]);
        assert!(
            have.0
                .values()
                .flatten()
                .all(|entry| entry.date == NEW_YEAR + 10 * DAY)
        );
        verify(&job).exits(0);

        let again = run(&job).exits(0).balance();
        assert_eq!((again.part("copied"), again.part("skipped")), (0, 78));
        assert_eq!(Snapshot::of(shared().imap, &new).without_empty(), have);

        // Another search: what the first one left out is looked at again.
        job.rewrite(
            "",
            &source,
            &End::imap(shared(), &new),
            &rules.replace("BUDI", "siti"),
        );
        assert_eq!(run(&job).exits(0).balance().part("copied"), 2);
        assert_eq!(Snapshot::of(shared().imap, &new).total(), 4);
    }
}
