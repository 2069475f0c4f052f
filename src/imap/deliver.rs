//! Sending a batch of APPENDs: what is sent when, and what has to be awaited before more is.

use super::append::{Append, Appended};
use super::link::{Each, Link, Nothing};
use super::quote::{Command, Part, append_attributes, is_flag};
use super::response::{Completion, Line, Status};
use super::unanswered::{Pending, Unanswered};
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::spool::Body;
use std::io::{self, Write};

/// APPEND commands without an answer: their answers fit the system's buffers, so that no end blocks in write.
const WINDOW: usize = 128;
/// The largest message that may serve as proof that LITERAL+ works, in bytes.
const SMALL: u64 = 64 * 1024;
/// Bytes of a literal that are written between two looks for an early refusal.
const CHUNK: usize = 64 * 1024;

/// One batch being sent, behind those that are under way.
pub(super) struct Sending<'a> {
    pub(super) link: &'a mut Link,
    pub(super) mailbox: &'a [u8],
    pub(super) batch: &'a [Append<'a>],
    /// This batch is the newest of them.
    pub(super) appends: &'a mut Unanswered,
}

impl Sending<'_> {
    /// Sends all of it. `Err`: the connection is lost.
    pub(super) fn run(&mut self, multi: bool) -> Result<()> {
        for members in self.groups(multi) {
            while self.appends.commands() >= WINDOW {
                self.appends.settle_one(self.link)?;
            }
            let on_trial = self.send(members)?;
            if on_trial {
                self.prove()?;
            }
        }
        self.link.flush()
    }

    /// Which messages share a command. The proof of LITERAL+ travels alone.
    fn groups(&mut self, multi: bool) -> Vec<Vec<usize>> {
        let mut sound = Vec::new();
        for (at, message) in self.batch.iter().enumerate() {
            match message.flags.iter().find(|flag| !is_flag(flag)) {
                None => sound.push(at),
                Some(_) => self.appends.decide(at, unwritable()),
            }
        }
        if !multi {
            return sound.into_iter().map(|at| vec![at]).collect();
        }
        let alone =
            usize::from(self.link.at_once.is_some() && !self.appends.proved).min(sound.len());
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
        self.appends.begin(Pending {
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
        let at_once = allowed && (self.appends.proved || size <= SMALL);
        let plus = if at_once { "+" } else { "" };
        let attributes = append_attributes(message.flags, message.date);
        self.link
            .queue(format!("{attributes} {{{size}{plus}}}\r\n").as_bytes())?;
        if !at_once && !self.go_ahead(tag)? {
            return Ok(Sent::Refused);
        }
        if at_once {
            self.appends.waits_for_nothing();
        }
        self.send_body(tag, message.body, at_once)?;
        self.appends.whole(at, self.link.wire.queued());
        Ok(if at_once && !self.appends.proved {
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
                self.appends.record(tag, &answer);
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
            self.appends.literal_plus_refused |= at_once;
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
        self.appends.record(tag, answer);
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

    /// Awaits everything sent so far. After a refusal a NOOP shows whether the server took the literal for one, or for commands.
    fn prove(&mut self) -> Result<()> {
        let mut last = None;
        while let Some(answer) = self.appends.settle_one(self.link)? {
            last = Some(answer);
        }
        if !last.is_some_and(|answer| answer.is_ok()) {
            let in_step = self.in_step();
            self.appends.literal_plus_refused = in_step.is_err();
            in_step?;
        }
        self.appends.proved = true;
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
