//! Looking closely at single messages of the destination.

use super::link::SinkLink;
use crate::error::Result;
use crate::identity::{HeaderIdentity, Look};
use crate::message::Digests;
use crate::net::Flow;
use crate::spool::Budget;

/// Bytes held while reading: the message is digested and dropped, and the run's own budget may be taken by those compared.
const READING: u64 = 1 << 20;

/// Looks into one folder of the destination.
pub(super) struct Looker<'l, 'c> {
    pub(super) link: &'l mut SinkLink<'c>,
    pub(super) name: &'l [u8],
}

impl Look for Looker<'_, '_> {
    fn header(&mut self, uid: u32) -> Result<Option<HeaderIdentity>> {
        let (name, mut header) = (self.name, None);
        self.link.retry(|sink| {
            sink.heads(name, (uid, uid), &mut |head| {
                header = Some(HeaderIdentity::of(&head.head));
                Ok(())
            })
        })?;
        Ok(header)
    }

    fn digests(&mut self, uid: u32) -> Result<Option<Digests>> {
        let (name, mut digests) = (self.name, None);
        self.link.retry(|sink| {
            sink.bodies(
                name,
                &[(uid, uid)],
                &Budget::new(READING),
                &mut |_, body| {
                    digests = body.ok().map(|body| body.digests());
                    Ok(Flow::Continue)
                },
            )
        })?;
        Ok(digests)
    }
}
