//! Habits of real servers, played by a server that answers as they do: none of them loses or doubles mail, or stops the rest.

use crate::support::fake::{self, Twist};
use crate::support::{Corpus, End, Imap, Job, Mail, Run, fresh_user, mailhaul, shared};
use std::sync::atomic::{AtomicBool, Ordering};

fn mails() -> Vec<Mail> {
    let mut mails = Corpus::new("quirk", 11).mails(9);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    mails
}

fn source(port: u16) -> End {
    End::at("imap", "127.0.0.1", port, "budi").line("security = \"plain\"")
}

/// A job from a server with such a twist to Dovecot, run, and what arrived.
fn carried(twist: Twist, more: &str) -> (Run, Vec<u8>, Vec<Vec<u8>>) {
    let server = fake::imap(vec![b"\"INBOX\"".to_vec()], mails(), twist);
    let new = fresh_user("quirk");
    let source = source(server.port).line(more);
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let done = mailhaul(&["run".as_ref(), job.path().as_os_str()]);
    let there = Imap::login(shared().imap, &new).fetch("INBOX");
    let there = there.into_iter().map(|mail| mail.bytes).collect();
    (done, server.heard(), there)
}

fn heard_lines(heard: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(heard).into_owned();
    text.lines().map(str::to_owned).collect()
}

/// 163 opens no folder for a client that has not said who it is; GMX takes no empty ID.
#[test]
fn id_is_said_before_a_folder_is_opened_and_is_never_empty() {
    let named = AtomicBool::new(false);
    let twist: Twist = Box::new(move |line| {
        let words = line.to_ascii_uppercase();
        match words.split(' ').next() {
            None | Some("") => Some(
                b"* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR] Coremail System IMap Server Ready\r\n".to_vec(),
            ),
            Some("CAPABILITY") => {
                Some(b"* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\n{tag} OK done\r\n".to_vec())
            }
            Some("ID") => {
                named.store(words.contains("\"NAME\""), Ordering::Relaxed);
                None
            }
            Some("SELECT" | "EXAMINE") if !named.load(Ordering::Relaxed) => {
                Some(b"{tag} NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n".to_vec())
            }
            _ => None,
        }
    });
    let (done, heard, there) = carried(twist, "");
    done.exits(0);
    assert_eq!(there.len(), mails().len());
    let ids = heard_lines(&heard);
    let ids: Vec<_> = ids.iter().filter(|line| line.contains(" ID ")).collect();
    assert!(!ids.is_empty(), "no ID was said");
    assert!(
        ids.iter().all(|line| line.contains("\"mailhaul\"")),
        "{ids:?}"
    );
}

/// Yahoo never gives some messages, and refuses every FETCH that one of them is in. QQ takes no set that descends.
#[test]
fn what_is_never_given_ends_alone_and_sets_ascend() {
    let twist: Twist = Box::new(|line| {
        let set = line.strip_prefix("UID FETCH ")?.split(' ').next()?;
        let bodies = line.contains("BODY.PEEK[]");
        let holds = |uid: u32| {
            set.split(',').any(|part| {
                let (first, last) = part.split_once(':').unwrap_or((part, part));
                let number = |text: &str| text.parse().unwrap_or(u32::MAX);
                (number(first)..=number(last)).contains(&uid)
            })
        };
        let refused = bodies && (holds(3) || holds(8));
        refused.then(|| {
            b"{tag} NO [UNAVAILABLE] UID FETCH Server error - Please try again later\r\n".to_vec()
        })
    });
    let (done, heard, there) = carried(twist, "preset = \"yahoo\"");
    let done = done.exits(3);
    let balance = done.balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("not copied")),
        (7, 2),
        "{balance:?}"
    );
    assert_eq!(there.len(), 7);
    assert!(done.stdout.contains("[UNAVAILABLE]"), "{}", done.stdout);
    for line in heard_lines(&heard) {
        let Some((_, rest)) = line.split_once(" UID FETCH ") else {
            continue;
        };
        let set = rest.split(' ').next().unwrap_or_default();
        let numbers: Vec<u32> = set
            .split([',', ':'])
            .map(|text| text.parse().unwrap_or(u32::MAX))
            .collect();
        assert!(numbers.is_sorted(), "{line}");
    }
}

/// A space too many in STATUS, HIGHESTMODSEQ without a text, a bracket among the flags, `Inbox`, an answer to COPY that is none.
#[test]
fn what_is_missing_or_too_many_is_passed_over() {
    let twist: Twist = Box::new(|line| {
        let count = mails().len();
        match line.split(' ').next().unwrap_or_default() {
            "LIST" if line.ends_with('*') || line.ends_with("\"*\"") => {
                Some(b"* LIST (\\HasNoChildren ) \"/\" Inbox\r\n{tag} OK done\r\n".to_vec())
            }
            "STATUS" => Some(
                format!("* STATUS INBOX (MESSAGES {count} UIDNEXT 10 UIDVALIDITY 7 ) \r\n{{tag}} OK\r\n").into_bytes(),
            ),
            "EXAMINE" | "SELECT" => Some(
                format!(
                    "* {count} EXISTS\r\n* FLAGS (\\Seen a]b)\r\n* OK [PERMANENTFLAGS (\\Seen a]b \\*)]\r\n* OK [UIDVALIDITY 7]\r\n\
                     * OK [UIDNEXT 10]\r\n* OK [HIGHESTMODSEQ 5]\r\n* OK [COPYUID 14  ]\r\n{{tag}} OK [READ-ONLY]\r\n"
                )
                .into_bytes(),
            ),
            _ => None,
        }
    });
    let (done, _, there) = carried(twist, "");
    done.exits(0);
    assert_eq!(there.len(), mails().len());
}

/// Whose server it is shows by its host, by its greeting or by its answer to ID; the plan says so, and what follows.
#[test]
fn a_server_is_recognised_by_its_greeting_and_by_its_answer_to_id() {
    let greeting: Twist = Box::new(|line| {
        line.is_empty().then(|| {
            b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] Courier-IMAP ready. Copyright\r\n"
                .to_vec()
        })
    });
    let id: Twist = Box::new(|line| match line.split(' ').next() {
        Some("CAPABILITY") => {
            Some(b"* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\n{tag} OK done\r\n".to_vec())
        }
        Some("ID") => {
            Some(b"* ID (\"vendor\" \"x\" \"name\" \"Zimbra\")\r\n{tag} OK done\r\n".to_vec())
        }
        _ => None,
    });
    let told = [
        (
            greeting,
            "recognised as Courier by its greeting (preset = \"courier\")",
        ),
        (
            id,
            "recognised as Zimbra by its answer to ID (preset = \"zimbra\")",
        ),
    ];
    for (twist, words) in told {
        let server = fake::imap(vec![b"\"INBOX\"".to_vec()], mails(), twist);
        let to = End::imap(shared(), &fresh_user("voice"));
        let job = Job::new("", &source(server.port), &to, "");
        let plan = mailhaul(&["plan".as_ref(), job.path().as_os_str()]).exits(0);
        let said = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{said}");
        let generic = source(server.port).line("preset = \"generic\"");
        job.rewrite("", &generic, &to, "");
        let plan = mailhaul(&["plan".as_ref(), job.path().as_os_str()]).exits(0);
        assert!(!plan.stdout.contains("recognised"), "{}", plan.stdout);
    }
}
