//! The link on input that is cut anywhere.

use super::link::Nothing;
use super::pieces::{Gather, link};
use super::quote::Command;
use crate::error::{Code, Kind};
use proptest::prelude::*;

proptest! {
    #[test]
    fn responses_are_the_same_however_they_are_cut(sizes in prop::collection::vec(1usize..40, 1..20)) {
        let input = b"* 1 FETCH (UID 5 BODY[] {12}\r\n)\r\nm1 OK no\n FLAGS (\\Seen))\r\n\
            * LIST () \"/\" {4}\r\na\r\nb\r\n* OK text {3}\r\n* 2 FETCH (BODY[] {3}\r\nxyz UID 6)\r\nm1 OK done\r\n";
        let mut link = link(input, sizes);
        let mut gather = Gather::default();
        let answer = link.run(&Command::new("X"), &mut gather).unwrap();
        prop_assert!(answer.is_ok());
        prop_assert_eq!(gather.uids, [Some(5), Some(6)]);
        prop_assert_eq!(gather.streamed, b")\r\nm1 OK no\nxyz");
        prop_assert_eq!(gather.others, 2);
    }

    #[test]
    fn junk_ends_in_an_error_and_never_in_a_panic(junk: Vec<u8>) {
        let mut link = link(&junk, vec![7]);
        let error = link.run(&Command::new("X"), &mut Nothing).unwrap_err();
        prop_assert_eq!(error.kind, Kind::Transient);
        prop_assert!(link.broken);
    }
}

#[test]
fn responses_without_end_are_left() {
    let mut link = link(&b"* 1 RECENT\r\n".repeat(1_100_000), vec![1 << 20]);
    let error = link.run(&Command::new("X"), &mut Nothing).unwrap_err();
    assert_eq!(error.code, Code::Protocol);
}

#[test]
fn names_without_end_are_left() {
    let line = [&b"* LIST () \"/\" "[..], &vec![b'n'; 900_000], b"\r\n"].concat();
    let mut link = link(&line.repeat(90), vec![1 << 20]);
    let error = link.run(&Command::new("X"), &mut Nothing).unwrap_err();
    assert_eq!((error.code, error.kind), (Code::Protocol, Kind::Transient));
}

/// What belongs to a command under way comes while another waits to send its literal.
#[test]
fn nothing_is_lost_while_a_literal_waits() {
    let mut link = link(b"* LIST () \"/\" a\r\nm1 OK\r\n+ go\r\nm2 OK\r\n", vec![5]);
    let commands = [Command::new("A"), Command::new("B ").string(b"\xff")];
    let mut gather = Gather::default();
    let answers = link.pipeline(commands, &mut gather).unwrap();
    assert_eq!((answers.len(), gather.others), (2, 1));
}

#[test]
fn completions_in_any_order_find_their_commands() {
    let mut link = link(b"m2 NO b\r\nm1 OK a\r\nm3 OK c\r\n", vec![3]);
    let commands = ["A", "B", "C"].map(Command::new);
    let answers = link.pipeline(commands, &mut Nothing).unwrap();
    let words: Vec<String> = answers.iter().map(|answer| answer.words()).collect();
    assert_eq!(words, ["a", "b", "c"]);
}

#[test]
fn a_session_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<super::Session>();
}
