//! A connection that speaks IMAP: commands out, responses in, in step however many are under way.

use super::bounds::Bounds;
use super::fault::Peer;
use super::quote::{Command, Part};
use super::response::{Completion, LINE_CAP, Line, Raw, Status, announced, ends_in_text};
use super::scan::Literal;
use super::state::State;
use super::wire::Wire;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::net::Arrived;
use std::collections::{BTreeMap, VecDeque};

/// The largest message a server may announce, in bytes: beyond it is no mail.
const LITERAL_CAP: u64 = 2 << 30;
/// All literals that are kept of one response, in bytes.
const KEPT_CAP: u64 = 4 << 20;
/// Commands under way at once, where each is small.
const WINDOW: usize = 128;

/// What becomes of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Kept with the response.
    Keep,
    /// Its first bytes kept with the response, the rest dropped.
    Truncate(usize),
    /// Given to [`Consumer::piece`].
    Stream,
    /// Read and dropped.
    Drop,
}

/// Takes the untagged responses to a command.
pub(super) trait Consumer {
    /// `line`: the response up to and without the announcement of a literal of `len` bytes.
    fn place(&mut self, _line: &[u8], _len: u64) -> Result<Place> {
        Ok(Place::Keep)
    }

    fn piece(&mut self, _piece: &[u8]) -> Result<()> {
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()>;
}

/// A consumer of whole responses.
pub(super) struct Each<F>(pub(super) F);

impl<F: FnMut(&Line<'_>) -> Result<()>> Consumer for Each<F> {
    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        (self.0)(line)
    }
}

/// A consumer that has no use for any, whatever literals they hold.
pub(super) struct Nothing;

impl Consumer for Nothing {
    fn place(&mut self, _line: &[u8], _len: u64) -> Result<Place> {
        Ok(Place::Drop)
    }

    fn line(&mut self, _line: &Line<'_>) -> Result<()> {
        Ok(())
    }
}

/// One connection, whichever of the two engines uses it at the moment.
pub(super) struct Link {
    pub(super) wire: Wire,
    pub(super) peer: Peer,
    pub(super) state: State,
    /// For errors: the phase, such as `logging in`.
    pub(super) doing: &'static str,
    /// Out of step or given up: nothing can be asked any more.
    pub(super) broken: bool,
    pub(super) logging_out: bool,
    /// The largest literal that need not be waited for (LITERAL+, LITERAL-), in bytes; `None`: each is.
    pub(super) at_once: Option<u64>,
    last_tag: u32,
    done: BTreeMap<u32, Completion>,
    bounds: Bounds,
    raw: Raw,
}

impl Link {
    pub(super) fn new(wire: Wire, peer: Peer) -> Self {
        Link {
            wire,
            peer,
            state: State::default(),
            doing: "talking",
            broken: false,
            logging_out: false,
            at_once: None,
            last_tag: 0,
            done: BTreeMap::new(),
            bounds: Bounds::default(),
            raw: Raw::default(),
        }
    }

    fn io(&mut self, e: &std::io::Error) -> Error {
        self.broken = true;
        self.peer.io(e, self.doing, self.state.bye.as_deref())
    }

    pub(super) fn protocol(&mut self, what: &str) -> Error {
        self.broken = true;
        self.peer.protocol(what)
    }

    /// The connection is given up in the middle of something.
    pub(super) fn give_up(&mut self) -> Error {
        self.broken = true;
        Error::new(
            Kind::Transient,
            Code::Connect,
            format!("gave up the connection to {}", self.peer.name),
        )
        .at(self.peer.end)
    }

    pub(super) fn queue(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.queue(bytes).map_err(|e| self.io(&e))
    }

    /// As [`Link::queue`], for bytes of a message.
    pub(super) fn queue_mail(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.queue_mail(bytes).map_err(|e| self.io(&e))
    }

    /// As [`Link::queue`], for what nobody may see.
    pub(super) fn queue_secret(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.queue_secret(bytes).map_err(|e| self.io(&e))
    }

    /// A step at which a test kills the process, with everything sent that was queued.
    pub(super) fn fail_point(&mut self, place: &str) {
        if failpoint::strikes(place) {
            drop(self.flush());
            failpoint::die();
        }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.wire.flush().map_err(|e| self.io(&e))
    }

    /// A fresh tag. Ours start with `m`, those of the control plane with `a`.
    pub(super) fn tag(&mut self) -> Result<u32> {
        if self.broken {
            return Err(self.give_up());
        }
        self.last_tag += 1;
        self.bounds = Bounds::default();
        Ok(self.last_tag)
    }

    /// Queues a command with no other under way; only a literal that has to be waited for is waited for. Where the server ends the
    /// command instead of taking that literal, its completion is there already.
    pub(super) fn send(&mut self, command: &Command) -> Result<u32> {
        self.send_behind(command, &mut Nothing)
    }

    /// As [`Link::send`], with others under way: what a wait brings is theirs, and goes to `consumer`.
    fn send_behind(&mut self, command: &Command, consumer: &mut dyn Consumer) -> Result<u32> {
        let tag = self.tag()?;
        self.queue(format!("m{tag} ").as_bytes())?;
        for part in &command.parts {
            match part {
                Part::Text(text) => self.queue(text)?,
                Part::Elided(text) => self.wire.queue_elided(text).map_err(|e| self.io(&e))?,
                Part::Literal(bytes) => {
                    if !self.send_literal(tag, bytes, consumer)? {
                        return Ok(tag);
                    }
                }
            }
        }
        self.queue(b"\r\n")?;
        Ok(tag)
    }

    /// Does the command go on behind the literal?
    fn send_literal(
        &mut self,
        tag: u32,
        bytes: &[u8],
        consumer: &mut dyn Consumer,
    ) -> Result<bool> {
        let at_once = self
            .at_once
            .is_some_and(|limit| bytes.len() as u64 <= limit);
        let plus = if at_once { "+" } else { "" };
        self.queue(format!("{{{}{plus}}}\r\n", bytes.len()).as_bytes())?;
        if !at_once && !self.await_go_ahead(tag, consumer)? {
            return Ok(false);
        }
        self.queue_mail(bytes)?;
        Ok(true)
    }

    /// Waits for `+`. `false`: the command was completed instead.
    pub(super) fn await_go_ahead(&mut self, tag: u32, consumer: &mut dyn Consumer) -> Result<bool> {
        loop {
            if self.done.contains_key(&tag) {
                return Ok(false);
            }
            if self.step(consumer)? {
                return Ok(true);
            }
        }
    }

    /// Waits for the server's next challenge (base64, as it came); `None` where the command is completed.
    pub(super) fn challenge(&mut self, tag: u32) -> Result<Option<Vec<u8>>> {
        let asked = self.await_go_ahead(tag, &mut Nothing)?;
        Ok(asked.then(|| std::mem::take(&mut self.state.challenge)))
    }

    /// Reads until the command is completed. Errors of `consumer` leave the connection out of step: it is broken then.
    pub(super) fn finish(&mut self, tag: u32, consumer: &mut dyn Consumer) -> Result<Completion> {
        loop {
            if let Some(completion) = self.done.remove(&tag) {
                return Ok(completion);
            }
            self.step(consumer)?;
        }
    }

    /// The completion of a command, if it is there already.
    pub(super) fn completed(&mut self, tag: u32) -> Option<Completion> {
        self.done.remove(&tag)
    }

    pub(super) fn is_completed(&self, tag: u32) -> bool {
        self.done.contains_key(&tag)
    }

    /// One command, all alone.
    pub(super) fn run(
        &mut self,
        command: &Command,
        consumer: &mut dyn Consumer,
    ) -> Result<Completion> {
        let tag = self.send(command)?;
        self.finish(tag, consumer)
    }

    /// Many small commands, pipelined; completions come in order. What they tell goes to `consumer`.
    pub(super) fn pipeline(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        consumer: &mut dyn Consumer,
    ) -> Result<Vec<Completion>> {
        let mut tags = VecDeque::new();
        let mut completions = Vec::new();
        for command in commands {
            tags.push_back(self.send_behind(&command, consumer)?);
            if tags.len() >= WINDOW
                && let Some(tag) = tags.pop_front()
            {
                completions.push(self.finish(tag, consumer)?);
            }
        }
        for tag in tags {
            completions.push(self.finish(tag, consumer)?);
        }
        Ok(completions)
    }

    /// Reads one response and sees to it. Was it `+`?
    pub(super) fn step(&mut self, consumer: &mut dyn Consumer) -> Result<bool> {
        let raw = self.read(consumer)?;
        let go_ahead = self.dispatch(&raw, consumer);
        self.raw = raw;
        go_ahead
    }

    fn dispatch(&mut self, raw: &Raw, consumer: &mut dyn Consumer) -> Result<bool> {
        let Some(line) = Line::parse(raw) else {
            return Err(self.protocol("sent something that is no IMAP response"));
        };
        self.note(&line)?;
        if matches!(line, Line::Data(..)) && !self.bounds.kept(raw) {
            return Err(self.protocol("tells more than anybody can keep"));
        }
        match &line {
            Line::Continue(_) => return Ok(true),
            Line::Tagged(tag, condition) => {
                let number = self.own_tag(tag)?;
                self.done.insert(number, condition.to_completion());
            }
            _ => consumer.line(&line).inspect_err(|_| self.broken = true)?,
        }
        Ok(false)
    }

    /// What every response means for the connection's state; bounds what a server can send for one command.
    pub(super) fn note(&mut self, line: &Line<'_>) -> Result<()> {
        self.state.absorb(line);
        if matches!(line, Line::Tagged(..) | Line::Continue(_)) {
            self.wire.arrived(Arrived::Answer);
        }
        if !self.bounds.one_more(self.state.selected.exists) {
            return Err(self.protocol("sends responses without end"));
        }
        let said_bye = matches!(line, Line::Untagged(condition) if condition.status == Status::Bye);
        if said_bye && !self.logging_out {
            self.broken = true;
            return Err(self.peer.bye(self.state.bye.as_deref().unwrap_or_default()));
        }
        Ok(())
    }

    fn own_tag(&mut self, tag: &[u8]) -> Result<u32> {
        let number = tag.strip_prefix(b"m").and_then(super::scan::number::<u32>);
        match number {
            Some(number) if number <= self.last_tag && !self.done.contains_key(&number) => {
                Ok(number)
            }
            _ => Err(self.protocol("answered a command that was not asked")),
        }
    }

    /// Reads one response; its buffers are those of the last one, given back.
    pub(super) fn read(&mut self, consumer: &mut dyn Consumer) -> Result<Raw> {
        let mut raw = std::mem::take(&mut self.raw);
        raw.line.clear();
        raw.literals.clear();
        self.read_into(&mut raw, consumer)
            .inspect_err(|_| self.broken = true)?;
        Ok(raw)
    }

    fn read_into(&mut self, raw: &mut Raw, consumer: &mut dyn Consumer) -> Result<()> {
        let mut kept = 0;
        loop {
            let old = raw.line.len();
            self.read_line(&mut raw.line)?;
            if ends_in_text(&raw.line) {
                return Ok(());
            }
            // Behind a literal that ends its response nothing follows, and its own announcement ends the line.
            let Some((at, len)) = announced(&raw.line).filter(|(at, _)| *at >= old) else {
                return Ok(());
            };
            if len > LITERAL_CAP {
                return Err(self.protocol("announced a literal too large to be mail"));
            }
            let place = consumer.place(&raw.line[..at], len)?;
            self.read_literal(
                Literal {
                    at,
                    bytes: Vec::new(),
                },
                len,
                place,
                raw,
                consumer,
            )?;
            kept += raw.literals.last().map_or(0, |l| l.bytes.len() as u64);
            if kept > KEPT_CAP {
                return Err(self.protocol("sent a response that is too large"));
            }
        }
    }

    /// Appends a line without its CRLF (or LF).
    fn read_line(&mut self, into: &mut Vec<u8>) -> Result<()> {
        let old = into.len();
        loop {
            let buffered = self.wire.buffered();
            let found = memchr::memchr(b'\n', buffered);
            let len = found.map_or(buffered.len(), |at| at + 1);
            if into.len() + len > LINE_CAP {
                return Err(self.protocol("sent a line without end"));
            }
            into.extend_from_slice(&buffered[..len]);
            self.wire.consume(len);
            if found.is_some() {
                into.pop();
                into.pop_if(|last| *last == b'\r');
                self.wire.transcript.heard(&into[old..]);
                self.wire.arrived(Arrived::Part);
                return Ok(());
            }
            self.wire.fill().map_err(|e| self.io(&e))?;
        }
    }

    fn read_literal(
        &mut self,
        mut literal: Literal,
        len: u64,
        place: Place,
        raw: &mut Raw,
        consumer: &mut dyn Consumer,
    ) -> Result<()> {
        if place == Place::Keep && len > KEPT_CAP {
            return Err(self.protocol("sent a response that is too large"));
        }
        let mut left = len;
        while left > 0 {
            if self.wire.buffered().is_empty() {
                self.wire.fill().map_err(|e| self.io(&e))?;
            }
            let buffered = self.wire.buffered();
            let piece = &buffered[..buffered
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX))];
            match place {
                Place::Stream => consumer.piece(piece)?,
                Place::Keep => literal.bytes.extend_from_slice(piece),
                Place::Truncate(cap) => {
                    let room = cap.saturating_sub(literal.bytes.len()).min(piece.len());
                    literal.bytes.extend_from_slice(&piece[..room]);
                }
                Place::Drop => {}
            }
            let taken = piece.len();
            left -= taken as u64;
            self.wire.consume(taken);
            self.wire.transcript.heard_mail(taken as u64);
        }
        self.wire.arrived(Arrived::Part);
        raw.literals.push(literal);
        Ok(())
    }

    /// Sees to what has arrived, without waiting for more than the rest of a response that has begun.
    /// Has anything arrived?
    pub(super) fn poll(&mut self, consumer: &mut dyn Consumer) -> Result<bool> {
        let arrived = self.wire.try_fill().map_err(|e| self.io(&e))?;
        while memchr::memchr(b'\n', self.wire.buffered()).is_some() {
            self.step(consumer)?;
        }
        Ok(arrived)
    }
}
