//! Measuring an IMAP end: how much it holds, how far away it is, how fast bodies come. EXAMINE and BODY.PEEK[] alone: nothing changes.

use super::estimate::Measured;
use crate::error::Result;
use crate::imap::{Mailbox, Session};
use crate::net::Flow;
use crate::spool::Budget;
use std::time::{Duration, Instant};

/// Of so many of the newest messages of the largest folder the sizes are asked for, where the server tells none of the whole.
const SIZED: u32 = 1_000;
/// Bodies are fetched up to so many bytes, to see how fast they come.
const SAMPLE: u64 = 1 << 20;
/// Less tells nothing but how far away the server is.
const ENOUGH: u64 = 64 * 1024;
/// Room for the sample, and for one message that is larger than it.
const ROOM: u64 = 16 << 20;

/// What the mailboxes hold, and how quickly the server shows it. Only a source gives bodies.
pub(super) fn measure(
    session: &mut Session,
    mailboxes: &[Mailbox],
    bodies: bool,
) -> Result<Measured> {
    let began = Instant::now();
    session.noop()?;
    let round_trip = began.elapsed();
    let open: Vec<&Mailbox> = mailboxes.iter().filter(|m| m.selectable).collect();
    let messages = open
        .iter()
        .filter_map(|m| m.status)
        .map(|s| u64::from(s.messages))
        .sum();
    let mut measured = Measured {
        messages,
        round_trip,
        ..Measured::default()
    };
    let names: Vec<&[u8]> = open.iter().map(|m| m.name.as_slice()).collect();
    measured.bytes = session.bytes_in(&names)?;
    let count = |m: &&&Mailbox| m.status.map_or(0, |status| status.messages);
    let largest = open.iter().max_by_key(count).filter(|m| count(m) > 0);
    if let Some(largest) = largest.filter(|_| bodies) {
        let sizes = sizes(session, largest)?;
        measured.bytes = measured.bytes.or_else(|| from_sample(&sizes, messages));
        measured.rate = rate(session, &sizes, round_trip)?;
    }
    Ok(measured)
}

/// UID and size of the newest messages of a mailbox, which stays open.
fn sizes(session: &mut Session, mailbox: &Mailbox) -> Result<Vec<(u32, u64)>> {
    let selected = session.examine(&mailbox.name)?;
    let next = selected.uid_next.unwrap_or(u32::MAX);
    let first = if selected.exists > SIZED {
        next.saturating_sub(SIZED).max(1)
    } else {
        1
    };
    let mut sizes = Vec::new();
    session.listing(&[(first, u32::MAX)], &mut |listed| {
        sizes.extend(listed.size.map(|size| (listed.uid, size)));
        Ok(())
    })?;
    Ok(sizes)
}

fn from_sample(sizes: &[(u32, u64)], messages: u64) -> Option<u64> {
    let count = u64::try_from(sizes.len()).ok().filter(|count| *count > 0)?;
    let sum: u64 = sizes.iter().map(|(_, size)| size).sum();
    Some((sum / count).saturating_mul(messages))
}

/// Bytes a second, from as many messages as make a sample. `None` where there is too little to tell.
fn rate(session: &mut Session, sizes: &[(u32, u64)], round_trip: Duration) -> Result<Option<f64>> {
    let mut left = SAMPLE;
    let mut set: Vec<(u32, u32)> = sizes
        .iter()
        .filter(|(_, size)| {
            let fits = *size <= left;
            left -= if fits { *size } else { 0 };
            fits
        })
        .map(|(uid, _)| (*uid, *uid))
        .collect();
    set.sort_unstable();
    if SAMPLE - left < ENOUGH {
        return Ok(None);
    }
    let (budget, mut bytes) = (Budget::new(ROOM), 0);
    let began = Instant::now();
    session.bodies(&set, &budget, &mut |fetched| {
        bytes += fetched.body.map_or(0, |body| body.size());
        Ok(Flow::Continue)
    })?;
    let took = began.elapsed().saturating_sub(round_trip).as_secs_f64();
    Ok((bytes >= ENOUGH).then(|| bytes as f64 / took.max(0.001)))
}
