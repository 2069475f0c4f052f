//! Canonical bytes with LF for line ends, where turning back gives the same bytes.

use std::io::{self, Write};

/// Turns the CRLFs of canonical bytes, cut anywhere, into LFs.
///
/// A CR before a CRLF cannot be kept that way: the LF form of CRCRLF is CRLF, which reads back as CRLF.
pub(super) struct LfWriter<W> {
    to: W,
    /// A CR that an LF may follow.
    held: bool,
    /// Was the last byte written a CR?
    after_cr: bool,
    /// `false` once a CRCRLF was met: what was written is of no use.
    pub(super) fits: bool,
}

impl<W: Write> LfWriter<W> {
    pub(super) fn new(to: W) -> Self {
        LfWriter {
            to,
            held: false,
            after_cr: false,
            fits: true,
        }
    }

    /// Writes what was held back, and flushes.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.held {
            self.to.write_all(b"\r")?;
        }
        self.to.flush()
    }

    /// Decides about the held CR now that the byte behind it is known.
    fn release(&mut self, next: u8) -> io::Result<()> {
        self.held = false;
        if next != b'\n' {
            self.after_cr = true;
            return self.to.write_all(b"\r");
        }
        if self.after_cr {
            self.fits = false;
            return Err(io::Error::other("CRCRLF"));
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.after_cr = false;
            self.to.write_all(bytes)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for LfWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut rest = buf;
        while let Some(&next) = rest.first() {
            if self.held {
                self.release(next)?;
            }
            let Some(at) = memchr::memchr(b'\r', rest) else {
                self.plain(rest)?;
                break;
            };
            self.plain(&rest[..at])?;
            self.held = true;
            rest = &rest[at + 1..];
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::canonical::canonical;
    use proptest::prelude::*;

    fn lf(canonical: &[u8], cut: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut writer = LfWriter::new(&mut out);
        for piece in canonical.chunks(cut) {
            writer.write_all(piece).ok()?;
        }
        writer.finish().unwrap();
        Some(out)
    }

    #[test]
    fn line_ends() {
        assert_eq!(lf(b"a\r\nb\r\n", 1).unwrap(), b"a\nb\n");
        assert_eq!(lf(b"a\rb\r", 1).unwrap(), b"a\rb\r");
        assert_eq!(lf(b"\r\r", 2).unwrap(), b"\r\r");
        assert!(lf(b"a\r\r\n", 1).is_none());
        assert!(lf(b"a\r\r\n", 9).is_none());
    }

    proptest! {
        #[test]
        fn what_fits_reads_back_equal(
            raw in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..40),
            cut in 1usize..8,
        ) {
            let canonical_form = canonical(&raw);
            let has_lf_form = !canonical_form.windows(3).any(|w| w == b"\r\r\n");
            match lf(&canonical_form, cut) {
                Some(on_disk) => prop_assert_eq!(canonical(&on_disk), canonical_form),
                None => prop_assert!(!has_lf_form),
            }
        }
    }
}
