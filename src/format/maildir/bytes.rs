//! A message's bytes to a file and back: with LF where turning back gives the canonical form, else as they are.

use crate::error::{Error, Kind, Result};
use crate::format::lf::LfWriter;
use crate::fs;
use crate::message::{canonical::canonical, header};
use crate::spool::{Body, Budget};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

const PIECE: usize = 64 * 1024;
/// Most headers are shorter.
const HEAD_PIECE: usize = 8 * 1024;
const HEAD_MOST: usize = 1 << 20;

/// Writes a body to a new, empty file and makes its bytes durable; gives their number.
pub(super) fn write(file: &mut File, body: &Body) -> io::Result<u64> {
    if !write_lf(file, body)? {
        file.set_len(0)?;
        file.rewind()?;
        let mut out = BufWriter::with_capacity(PIECE, &mut *file);
        body.write_to(&mut out)?;
        out.flush()?;
    }
    file.stream_position()
}

/// `false`: these bytes have no LF form; what the file holds then is of no use.
fn write_lf(file: &mut File, body: &Body) -> io::Result<bool> {
    let mut lf = LfWriter::new(BufWriter::with_capacity(PIECE, file));
    match body.write_to(&mut lf) {
        Ok(()) => {
            lf.finish()?;
            Ok(true)
        }
        Err(_) if !lf.fits => Ok(false),
        Err(e) => Err(e),
    }
}

/// Reads a file back into canonical form. What goes wrong with the file is of this `kind`.
pub(super) fn read(path: &Path, budget: &Budget, kind: Kind) -> Result<Body> {
    let mut file = fs::open(path).map_err(|error| Error { kind, ..error })?;
    let broken = |e: io::Error| Error {
        kind,
        ..Error::disk("read", path, &e)
    };
    let size = file.metadata().map_err(broken)?.len();
    let mut body = budget.body(size)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return body.finish(),
            Ok(n) => body.push(&piece[..n])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(broken(e)),
        }
    }
}

/// Reads a message's header alone, the empty line that ends it included, in canonical form: at most a MiB.
pub(super) fn head(path: &Path) -> Result<Vec<u8>> {
    let mut file = fs::open(path)?;
    let (mut raw, mut piece) = (Vec::new(), vec![0; HEAD_PIECE]);
    loop {
        let read = match file.read(&mut piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|e| Error::disk("read", path, &e))?,
        };
        raw.extend_from_slice(&piece[..read]);
        let end = header::head_len(&raw);
        if end < raw.len() || read == 0 || raw.len() >= HEAD_MOST {
            raw.truncate(end);
            return Ok(canonical(&raw));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_they_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let read = |text: &[u8]| {
            fs::persist(&path, |f| f.write_all(text)).unwrap();
            head(&path).unwrap()
        };
        assert_eq!(read(b"A: b\n\nbody\n"), b"A: b\r\n\r\n");
        assert_eq!(read(b"A: b\r\n\r\n"), b"A: b\r\n\r\n");
        assert_eq!(read(b"A: b"), b"A: b");
        assert_eq!(read(b""), b"");
        let long = [&b"A: "[..], &vec![b'x'; HEAD_PIECE - 4], b"\n\nbody"].concat();
        assert_eq!(read(&long).len(), HEAD_PIECE + 3);
    }
}
