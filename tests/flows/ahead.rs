//! Folders that are asked for while another still flows.

use super::run;
use crate::support::fake::{imap_answer, imap_command, say};
use crate::support::{Corpus, End, Imap, Job, Talker, fresh_user, shared};

const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n";

#[test]
fn the_next_folders_are_asked_for_while_one_flows() {
    let mails = Corpus::new("ahead", 9).mails(4);
    let names: Vec<Vec<u8>> = (b'A'..=b'F').map(|n| vec![b'"', n, b'"']).collect();
    let source = Talker::start(move |talk| {
        say(talk, "", GREETING);
        let mut examined = 0;
        while let Some((tag, command)) = imap_command(talk) {
            let mut under_way = vec![(tag, command)];
            // Nothing flows before three folders are asked for: who asks for one at a time waits for ever.
            while talk.number == 0 && examined == 0 && under_way[0].1.starts_with("EXAMINE") {
                let asked = |(_, command): &&(String, String)| command.starts_with("UID FETCH");
                if under_way.iter().filter(asked).count() == 3 {
                    break;
                }
                let Some(next) = imap_command(talk) else {
                    return;
                };
                under_way.push(next);
            }
            let mut selected = true;
            for (tag, command) in under_way {
                examined += usize::from(command.starts_with("EXAMINE"));
                if command == "EXAMINE \"B\"" {
                    selected = false;
                }
                let answer = match (command.split(' ').next(), selected) {
                    (Some("UID" | "EXAMINE"), false) => b"{tag} NO not this one\r\n".to_vec(),
                    _ => imap_answer(&command, &names, &mails),
                };
                selected |= command.starts_with("UID");
                if talk.number == 0 && examined == 3 && command.starts_with("UID") {
                    // Lost in the midst of the third folder, with more asked for behind it.
                    say(talk, &tag, &answer[..answer.len() / 2]);
                    return;
                }
                say(talk, &tag, &answer);
            }
        }
    });
    let server = shared();
    let new = fresh_user("ahead-new");
    let from = End::at("imap", "127.0.0.1", source.port, "budi")
        .line("security = \"plain\"")
        .line("connections = 1");
    let job = Job::new("", &from, &End::imap(server, &new), "");
    let done = run(&job).exits(3);
    let balance = done.balance();
    assert_eq!((balance.total, balance.part("copied")), (24, 20));
    assert_eq!(balance.part("not copied"), 4);
    balance.assert_adds_up();
    assert!(done.stderr.contains("not this one"), "{}", done.stderr);
    assert_eq!(source.connections(), 2);
    let mut there = Imap::login(server.imap, &new);
    for folder in ["A", "C", "D", "E", "F"] {
        assert_eq!(there.count(folder), 4, "{folder}");
    }
    assert_eq!(there.count("B"), 0);
}
