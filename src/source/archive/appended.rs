//! Messages that other programs appended to an mbox of the archive: known by what stands in the file alone.

use crate::archive::View;
use crate::error::Result;
use crate::format::mbox::{Extent, LineEnds, MboxFile, marks};
use crate::message::{Flags, InternalDate, SourceKey};
use crate::source::Listed;
use crate::spool::{Body, Budget};

/// Bytes held while a message is read for its digest.
const READING: u64 = 4 << 20;

pub(super) struct Appended {
    file: MboxFile,
    pub(super) mails: Vec<Foreign>,
}

pub(super) struct Foreign {
    pub(super) at: Extent,
    /// Its digest, hexadecimal.
    pub(super) name: Box<[u8]>,
    flags: Flags,
    date: Option<InternalDate>,
    size: u64,
}

impl Appended {
    pub(super) fn of(view: &View) -> Result<Option<Self>> {
        let Some((file, extents)) = view.appended()? else {
            return Ok(None);
        };
        let budget = Budget::new(READING);
        let mut mails = Vec::with_capacity(extents.len());
        for at in extents {
            let body = file.read(&at, LineEnds::default(), &budget)?;
            let marks = marks(body.head());
            if marks.internal {
                continue;
            }
            mails.push(Foreign {
                name: body.digests().exact.to_string().into_bytes().into(),
                flags: marks.flags,
                date: file.from_line(&at)?.date,
                size: body.size(),
                at,
            });
        }
        Ok(Some(Appended { file, mails }))
    }

    pub(super) fn listed(&self, at: usize, key: SourceKey) -> Option<Listed> {
        let mail = self.mails.get(at)?;
        Some(Listed {
            key,
            flags: mail.flags.clone(),
            date: mail.date,
            size: Some(mail.size),
        })
    }

    pub(super) fn body(&self, at: &Extent, budget: &Budget) -> Result<Body> {
        self.file.read(at, LineEnds::default(), budget)
    }

    pub(super) fn head(&self, at: &Extent) -> Result<Vec<u8>> {
        let body = self.body(at, &Budget::new(READING))?;
        Ok(body.head().to_vec())
    }
}
