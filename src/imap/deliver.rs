//! The course of a bulk APPEND: what is sent when, what is awaited when, and what a lost connection leaves known.

use super::append::{Append, AppendReport, Appended, results};
use super::link::{Each, Link, Nothing};
use super::quote::{Command, Part, append_attributes, is_flag};
use super::response::{Completion, Line, Status};
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::spool::Body;
use std::collections::VecDeque;
use std::io::{self, Write};

/// APPEND commands without an answer: their answers fit the system's buffers, so that no end blocks in write.
const WINDOW: usize = 64;
/// The largest message that may serve as proof that LITERAL+ works, in bytes.
const SMALL: u64 = 64 * 1024;
/// Bytes of a literal that are written between two looks for an early refusal.
const CHUNK: usize = 64 * 1024;

/// A command on its way, with the places of its messages in the batch.
struct Pending {
    tag: u32,
    members: Vec<usize>,
    /// It holds a literal that did not wait for a go-ahead.
    at_once: bool,
}

pub(super) struct Delivery<'a> {
    link: &'a mut Link,
    mailbox: &'a [u8],
    batch: &'a [Append<'a>],
    results: Vec<Option<Appended>>,
    /// How many bytes the wire had queued when the last byte of a message was.
    ends: Vec<Option<u64>>,
    pending: VecDeque<Pending>,
    proved: &'a mut bool,
    literal_plus_refused: bool,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        link: &'a mut Link,
        mailbox: &'a [u8],
        batch: &'a [Append<'a>],
        proved: &'a mut bool,
    ) -> Self {
        Delivery {
            link,
            mailbox,
            batch,
            results: vec![None; batch.len()],
            ends: vec![None; batch.len()],
            pending: VecDeque::new(),
            proved,
            literal_plus_refused: false,
        }
    }

    pub(super) fn run(mut self, multi: bool) -> AppendReport {
        let lost = self.deliver(multi).err();
        if lost.is_some() {
            self.link.broken = true;
            self.salvage();
        }
        let attempted = self.link.wire.attempted();
        let unanswered = |end: Option<u64>| match end {
            Some(end) if end <= attempted => Appended::Unknown,
            _ => Appended::NotSent,
        };
        let results = self.results.into_iter().zip(self.ends);
        AppendReport {
            results: results
                .map(|(result, end)| result.unwrap_or_else(|| unanswered(end)))
                .collect(),
            lost,
            literal_plus_refused: self.literal_plus_refused,
        }
    }

    fn deliver(&mut self, multi: bool) -> Result<()> {
        for members in self.groups(multi) {
            while self.pending.len() >= WINDOW {
                self.settle_first()?;
            }
            let on_trial = self.send(members)?;
            if on_trial {
                self.prove()?;
            }
        }
        while !self.pending.is_empty() {
            self.settle_first()?;
        }
        Ok(())
    }

    /// Which messages share a command. The proof of LITERAL+ travels alone.
    fn groups(&mut self, multi: bool) -> Vec<Vec<usize>> {
        let mut sound = Vec::new();
        for (at, message) in self.batch.iter().enumerate() {
            match message.flags.iter().find(|flag| !is_flag(flag)) {
                None => sound.push(at),
                Some(_) => self.results[at] = Some(unwritable()),
            }
        }
        if !multi {
            return sound.into_iter().map(|at| vec![at]).collect();
        }
        let alone = usize::from(self.link.at_once.is_some() && !*self.proved).min(sound.len());
        let rest = sound.split_off(alone);
        [sound, rest]
            .into_iter()
            .filter(|group| !group.is_empty())
            .collect()
    }

    /// Sends one command. Did it rely on LITERAL+ before that was proved?
    fn send(&mut self, members: Vec<usize>) -> Result<bool> {
        failpoint::pass("APPEND: before its first byte");
        let tag = self.link.tag()?;
        self.pending.push_back(Pending {
            tag,
            members: members.clone(),
            at_once: false,
        });
        self.link.queue(format!("m{tag} APPEND ").as_bytes())?;
        for part in &Command::default().string(self.mailbox).parts {
            match part {
                Part::Text(text) | Part::Elided(text) => self.link.queue(text)?,
                Part::Literal(name) => {
                    self.link
                        .queue(format!("{{{}}}\r\n", name.len()).as_bytes())?;
                    if !self.go_ahead(tag)? {
                        return Ok(false);
                    }
                    self.link.queue_mail(name)?;
                }
            }
        }
        let mut on_trial = false;
        for at in members {
            match self.send_message(tag, at)? {
                Sent::Refused => return Ok(on_trial),
                Sent::OnTrial => on_trial = true,
                Sent::Whole => {}
            }
        }
        self.link.queue(b"\r\n")?;
        self.link.fail_point("APPEND: whole, before its answer");
        Ok(on_trial)
    }

    fn send_message(&mut self, tag: u32, at: usize) -> Result<Sent> {
        let message = self.batch[at];
        let size = message.body.size();
        let allowed = self.link.at_once.is_some_and(|limit| size <= limit);
        let at_once = allowed && (*self.proved || size <= SMALL);
        let plus = if at_once { "+" } else { "" };
        let attributes = append_attributes(message.flags, message.date);
        self.link
            .queue(format!("{attributes} {{{size}{plus}}}\r\n").as_bytes())?;
        if !at_once && !self.go_ahead(tag)? {
            return Ok(Sent::Refused);
        }
        if let Some(pending) = self.pending.back_mut() {
            pending.at_once |= at_once;
        }
        self.send_body(tag, message.body, at_once)?;
        self.ends[at] = Some(self.link.wire.queued());
        Ok(if at_once && !*self.proved {
            Sent::OnTrial
        } else {
            Sent::Whole
        })
    }

    /// Waits for `+`. An OK in its place would be for a message that the server has not got.
    fn go_ahead(&mut self, tag: u32) -> Result<bool> {
        if self.link.await_go_ahead(tag, &mut Nothing)? {
            return Ok(true);
        }
        let answer = self.link.completed(tag).filter(|answer| !answer.is_ok());
        match answer {
            Some(answer) => {
                self.record(tag, &answer);
                Ok(false)
            }
            None => Err(self
                .link
                .protocol("said OK to an APPEND that was not complete")),
        }
    }

    fn send_body(&mut self, tag: u32, body: &Body, at_once: bool) -> Result<()> {
        let mut writer = LiteralWriter {
            size: body.size(),
            left: body.size(),
            tag,
            failure: None,
            link: self.link,
        };
        let written = body.write_to(&mut writer);
        let (left, failure) = (writer.left, writer.failure);
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(answer) = self.link.completed(tag) {
            self.literal_plus_refused |= at_once;
            return Err(self.refused_early(tag, &answer));
        }
        match written {
            Ok(()) if left == 0 => Ok(()),
            Ok(()) => Err(local_disk("it is shorter than it was")),
            Err(e) => Err(local_disk(&e.to_string())),
        }
    }

    /// The server ended the command in the middle of a literal: it may take the rest for commands.
    fn refused_early(&mut self, tag: u32, answer: &Completion) -> Error {
        if answer.is_ok() {
            return self
                .link
                .protocol("said OK to an APPEND that was not complete");
        }
        self.record(tag, answer);
        self.link.broken = true;
        let mut error = self
            .link
            .peer
            .refused(answer, "a message before its end", Kind::Transient);
        if !error.is_transient() {
            error.kind = Kind::Transient;
        }
        error
    }

    fn record(&mut self, tag: u32, answer: &Completion) {
        let Some(at) = self.pending.iter().position(|pending| pending.tag == tag) else {
            return;
        };
        failpoint::pass("APPEND: answered");
        if let Some(pending) = self.pending.remove(at) {
            let results = results(answer, pending.members.len());
            for (at, result) in pending.members.into_iter().zip(results) {
                self.results[at] = Some(result);
            }
        }
    }

    fn settle_first(&mut self) -> Result<Option<Completion>> {
        let Some(pending) = self.pending.front() else {
            return Ok(None);
        };
        let (tag, at_once) = (pending.tag, pending.at_once);
        let answer = self.link.finish(tag, &mut Nothing)?;
        self.record(tag, &answer);
        if at_once && answer.status == Status::Bad {
            return Err(self.misunderstood(&answer));
        }
        Ok(Some(answer))
    }

    /// BAD to a command with a LITERAL+ literal: Dovecot, for one, then reads the message as commands.
    fn misunderstood(&mut self, answer: &Completion) -> Error {
        self.literal_plus_refused = true;
        self.link.broken = true;
        self.link
            .peer
            .refused(answer, "an APPEND with LITERAL+", Kind::Transient)
    }

    /// Awaits everything sent so far. After a refusal a NOOP shows whether the server took the literal for one, or for commands.
    fn prove(&mut self) -> Result<()> {
        let mut last = None;
        while let Some(answer) = self.settle_first()? {
            last = Some(answer);
        }
        if !last.is_some_and(|answer| answer.is_ok()) {
            let in_step = self.in_step();
            self.literal_plus_refused = in_step.is_err();
            in_step?;
        }
        *self.proved = true;
        Ok(())
    }

    fn in_step(&mut self) -> Result<()> {
        let mut complaint = false;
        let mut listen = Each(|line: &Line<'_>| {
            complaint |=
                matches!(line, Line::Untagged(condition) if condition.status == Status::Bad);
            Ok(())
        });
        let answer = self.link.run(&Command::new("NOOP"), &mut listen)?;
        if complaint || !answer.is_ok() {
            return Err(self
                .link
                .protocol("does not take literals of LITERAL+, though it offers it"));
        }
        Ok(())
    }

    /// What has arrived before the connection was lost still counts.
    fn salvage(&mut self) {
        while self.link.poll(&mut Nothing).unwrap_or(false) {}
        let tags: Vec<u32> = self.pending.iter().map(|pending| pending.tag).collect();
        for tag in tags {
            if let Some(answer) = self.link.completed(tag) {
                self.record(tag, &answer);
            }
        }
    }
}

/// How far a message came.
enum Sent {
    Whole,
    /// Whole, and without waiting, before it was known that the server really takes that.
    OnTrial,
    /// Not at all: the command is ended.
    Refused,
}

fn unwritable() -> Appended {
    Appended::Refused {
        words: "a keyword of this message cannot be written in IMAP; it was not sent".to_owned(),
        code: None,
        batch: false,
    }
}

fn local_disk(words: &str) -> Error {
    Error::new(
        Kind::Internal,
        Code::Disk,
        "cannot read a message from its temporary file",
    )
    .words(words)
}

/// Writes a literal, and looks for an early end of its command in between.
struct LiteralWriter<'a> {
    link: &'a mut Link,
    tag: u32,
    size: u64,
    left: u64,
    failure: Option<Error>,
}

impl LiteralWriter<'_> {
    fn push(&mut self, chunk: &[u8]) -> Result<bool> {
        if self.link.wire.would_send(chunk.len()) {
            self.link.poll(&mut Nothing)?;
            if self.link.is_completed(self.tag) {
                return Ok(false);
            }
        }
        self.link.queue_mail(chunk)?;
        Ok(true)
    }
}

impl Write for LiteralWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let most = buf.len().min(CHUNK);
        let chunk = &buf[..failpoint::piece(most, self.size.saturating_sub(self.left), self.size)];
        if chunk.len() as u64 > self.left {
            return Err(io::Error::other("it is longer than it was"));
        }
        match self.push(chunk) {
            Ok(true) => {
                self.left -= chunk.len() as u64;
                self.link.fail_point("APPEND: in a literal or at its end");
                Ok(chunk.len())
            }
            Ok(false) => Err(io::Error::other("refused")),
            Err(e) => {
                let told = io::Error::other("lost");
                self.failure = Some(e);
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
