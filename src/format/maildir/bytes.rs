//! A message's bytes to a file and back: with LF where turning back gives the canonical form, else as they are.

use crate::error::{Error, Result};
use crate::format::lf::LfWriter;
use crate::fs;
use crate::spool::{Body, Budget};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

const PIECE: usize = 64 * 1024;

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

/// Reads a file back into canonical form.
pub(super) fn read(path: &Path, budget: &Budget) -> Result<Body> {
    let mut file = fs::open(path)?;
    let broken = |e: io::Error| Error::disk("read", path, &e);
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
