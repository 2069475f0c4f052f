//! A link over bytes in memory, cut anywhere: for tests and the fuzzer.

use super::fault::Peer;
use super::items::Items;
use super::link::{Consumer, Link, Place};
use super::quote::Command;
use super::response::Line;
use super::wire::Wire;
use crate::error::{End, Result};
use crate::net::Stream;
use std::io::{self, Read, Write};

/// Gives its bytes in pieces of these sizes, then ends.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        let len = size.min(buf.len()).min(self.bytes.len() - self.at);
        buf[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

impl Write for Pieces {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Pieces {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.read(buf).map(Some)
    }
}

/// A link whose server says these bytes, whatever it is asked, in pieces of these sizes over and over.
pub(super) fn link(bytes: &[u8], sizes: Vec<usize>) -> Link {
    let stream = Pieces {
        bytes: bytes.to_vec(),
        at: 0,
        sizes,
        turn: 0,
    };
    let peer = Peer {
        end: End::Source,
        name: "test:143".to_owned(),
    };
    Link::new(Wire::new(Box::new(stream)), peer)
}

/// What was told: literals of bodies, UIDs of FETCH responses, and how many others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gather {
    pub(super) streamed: Vec<u8>,
    pub(super) uids: Vec<Option<u32>>,
    pub(super) others: usize,
}

impl Consumer for Gather {
    fn place(&mut self, line: &[u8], _len: u64) -> Result<Place> {
        Ok(if super::items::at_body(line) {
            Place::Stream
        } else {
            Place::Keep
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        self.streamed.extend_from_slice(piece);
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        match Items::of(line) {
            Ok(Some(items)) => self.uids.push(items.uid),
            _ => self.others += 1,
        }
        Ok(())
    }
}

/// What a client makes of a server that says this: how its command ended, or the error; and what was told before.
fn heard(input: &[u8], sizes: Vec<usize>) -> (Result<String, String>, Gather) {
    let mut gather = Gather::default();
    let answer = link(input, sizes).run(&Command::new("X"), &mut gather);
    let ended = answer.map(|answer| answer.words());
    (ended.map_err(|e| e.to_string()), gather)
}

/// However the input is cut, the same comes of it. Panics where that is not so.
#[cfg_attr(test, allow(dead_code, reason = "the fuzzer's"))]
pub(crate) fn same_however_cut(input: &[u8], sizes: Vec<usize>) {
    let (ended, whole) = heard(input, vec![usize::MAX]);
    let (cut, pieces) = heard(input, sizes);
    assert_eq!(ended.is_ok(), cut.is_ok());
    assert_eq!(
        (ended, whole.uids, whole.others),
        (cut, pieces.uids, pieces.others)
    );
    assert_eq!(whole.streamed, pieces.streamed);
}
