//! Looking into a file by position, through one buffer that moves along it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How far one reading goes.
pub(super) const CHUNK: u64 = 256 << 10;

pub(super) struct View<'a> {
    file: &'a File,
    size: u64,
    buffer: Vec<u8>,
    /// Where the buffer begins.
    start: u64,
    /// For a look beyond the buffer.
    aside: Vec<u8>,
}

impl<'a> View<'a> {
    /// Of the first `size` bytes.
    pub(super) fn new(file: &'a File, size: u64) -> Self {
        View {
            file,
            size,
            buffer: Vec::new(),
            start: 0,
            aside: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads the bytes `from..to`, as far as the file goes, into the buffer.
    pub(super) fn load(&mut self, from: u64, to: u64) -> io::Result<&[u8]> {
        self.start = from;
        fill(self.file, self.size, from, to, &mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// `wanted` bytes from `at` on, fewer only at the end of the file.
    pub(super) fn bytes(&mut self, at: u64, wanted: u64) -> io::Result<&[u8]> {
        let end = at.saturating_add(wanted).min(self.size).max(at);
        let loaded = self.start + self.buffer.len() as u64;
        if at >= self.start && end <= loaded {
            let (from, to) = ((at - self.start) as usize, (end - self.start) as usize);
            return Ok(&self.buffer[from..to]);
        }
        fill(self.file, self.size, at, end, &mut self.aside)?;
        Ok(&self.aside)
    }
}

fn fill(file: &File, size: u64, from: u64, to: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let length = to.min(size).saturating_sub(from) as usize;
    into.resize(length, 0);
    file.read_exact_at(into, from)
}
