//! Finding out which messages of a batch a destination really holds.
//!
//! Never by SEARCH, and never by trusting that a batch is atomic: what stands from the batch's floor on is read and
//! matched one to one, by digest first, and by header identity where the server changed bytes.

use super::link::SinkLink;
use crate::error::{Code, End, Error, Kind, Result};
use crate::identity::{self, HeaderIdentity, Known, Verdict};
use crate::job::Dedup;
use crate::message::Digests;
use crate::net::Flow;
use crate::sink::Sink;
use crate::spool::Budget;
use std::collections::HashSet;

/// A message that may be stored.
#[derive(Debug, Clone)]
pub(super) struct Sought {
    pub(super) digests: Digests,
    pub(super) header: HeaderIdentity,
    pub(super) size: u64,
}

/// A message that stands at the destination.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) uid: u32,
    pub(super) digests: Digests,
    pub(super) header: HeaderIdentity,
    pub(super) size: u64,
}

/// Where a sought message stands, and whether its bytes are as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) uid: u32,
    pub(super) intact: bool,
}

/// Bytes held while looking: messages are digested one by one, and the run's own budget may be taken by those looked for.
const LOOKING: u64 = 1 << 20;

/// Reads what stands in the folder from `floor` on, but for the UIDs that are spoken for.
pub(super) fn look(
    sink: &mut dyn Sink,
    name: &[u8],
    floor: u32,
    taken: &HashSet<u32>,
) -> Result<Vec<Found>> {
    let (mut found, mut unread) = (Vec::new(), false);
    let budget = Budget::new(LOOKING);
    let whole = sink.bodies(name, &[(floor, u32::MAX)], &budget, &mut |uid, body| {
        if taken.contains(&uid) {
            return Ok(Flow::Continue);
        }
        let Ok(body) = body else {
            unread = true;
            return Ok(Flow::Continue);
        };
        let header = HeaderIdentity::of(body.head());
        found.push(Found {
            uid,
            digests: body.digests(),
            header,
            size: body.size(),
        });
        Ok(Flow::Continue)
    })?;
    if !whole || unread {
        // What was not shown may be what is sought: sent again, it would be doubled.
        let what = "the destination refuses to show what stands in a folder";
        return Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Destination));
    }
    Ok(found)
}

/// What stands in a folder, and whether it is still the folder that was opened.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) found: Vec<Found>,
    /// It is gone, or has another UIDVALIDITY: what was known of its UIDs is of no use.
    pub(super) anew: bool,
    /// As it is now; `None`: it is gone.
    pub(super) uid_validity: Option<u32>,
}

/// [`look`], for a folder that had this UIDVALIDITY and floor. One that is gone holds nothing; one made anew is looked through
/// whole, and so is one whose next UID is below the floor: then the server had told UIDs that it never gave.
pub(super) fn look_afresh(
    link: &mut SinkLink<'_>,
    name: &[u8],
    (uid_validity, floor): (u32, u32),
    taken: &HashSet<u32>,
) -> Result<Seen> {
    let gone = Seen {
        found: Vec::new(),
        anew: true,
        uid_validity: None,
    };
    let door = match link.retry(|sink| sink.door(name)) {
        Err(error) if error.kind == Kind::Folder => return Ok(gone),
        door => door?,
    };
    let anew = door.uid_validity != uid_validity;
    let nobody = HashSet::new();
    let (floor, taken) = match anew || door.floor < floor {
        true => (1, &nobody),
        false => (floor, taken),
    };
    let found = link.retry(|sink| look(sink, name, floor, taken))?;
    let uid_validity = Some(door.uid_validity);
    Ok(Seen {
        found,
        anew,
        uid_validity,
    })
}

/// Matches one to one: by exact digest, then by loose digest, then by headers, each in order.
pub(super) fn pair(sought: &[Sought], found: &[Found]) -> Vec<Option<Place>> {
    let mut places = vec![None; sought.len()];
    let mut free: Vec<bool> = vec![true; found.len()];
    let rules: [fn(&Sought, &Found) -> bool; 3] = [
        |a, b| a.digests.exact == b.digests.exact,
        |a, b| a.digests.loose == b.digests.loose,
        alike_by_header,
    ];
    for (rank, rule) in rules.into_iter().enumerate() {
        for (place, sought) in places
            .iter_mut()
            .zip(sought)
            .filter(|(place, _)| place.is_none())
        {
            let hit = (0..found.len()).find(|&at| free[at] && rule(sought, &found[at]));
            if let Some(at) = hit {
                free[at] = false;
                *place = Some(Place {
                    uid: found[at].uid,
                    intact: rank == 0,
                });
            }
        }
    }
    places
}

/// Gives those that match nothing the place that the server told for them (UIDVALIDITY and UID), where something stands there that is
/// nobody else's: without a header, and with other bytes, no more can be known of a message.
pub(super) fn told(
    places: &mut [Option<Place>],
    uids: &[Option<(u32, u32)>],
    found: &[Found],
    uid_validity: Option<u32>,
) {
    for (at, told) in uids.iter().enumerate() {
        let Some((validity, uid)) = *told else {
            continue;
        };
        let standing = found.iter().any(|found| found.uid == uid);
        let free = !places.iter().flatten().any(|place| place.uid == uid);
        if places[at].is_none() && uid_validity == Some(validity) && standing && free {
            places[at] = Some(Place { uid, intact: false });
        }
    }
}

/// The same headers though other bytes: the server changed the message. After a crash no more than the id is known.
fn alike_by_header(sought: &Sought, found: &Found) -> bool {
    let id_alone = sought.header.date.is_none()
        && sought.header.from.is_empty()
        && sought.header.subject.is_empty();
    if let (true, Some(id)) = (id_alone, &sought.header.message_id) {
        return found.header.message_id.as_ref() == Some(id);
    }
    let source = Known {
        header: &sought.header,
        digests: None,
        size: Some(sought.size),
    };
    let standing = Known {
        header: &found.header,
        digests: None,
        size: Some(found.size),
    };
    identity::compare(source, standing, Dedup::MessageId) == Verdict::Same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{canonical::canonical, digest::digests};

    fn sought(raw: &str) -> Sought {
        let bytes = canonical(raw.as_bytes());
        Sought {
            digests: digests(&bytes),
            header: HeaderIdentity::of(&bytes),
            size: bytes.len() as u64,
        }
    }

    fn found(uid: u32, raw: &str) -> Found {
        let Sought {
            digests,
            header,
            size,
        } = sought(raw);
        Found {
            uid,
            digests,
            header,
            size,
        }
    }

    const A: &str = "Message-ID: <a@example.org>\r\nSubject: a\r\n\r\nbody\r\n";
    const B: &str = "Message-ID: <b@example.org>\r\nSubject: b\r\n\r\nbody\r\n";

    #[test]
    fn identical_copies_pair_one_to_one() {
        let places = pair(
            &[sought(A), sought(A), sought(A)],
            &[found(7, A), found(9, A)],
        );
        let uids: Vec<_> = places
            .iter()
            .map(|place| place.map(|place| place.uid))
            .collect();
        assert_eq!(uids, [Some(7), Some(9), None]);
    }

    #[test]
    fn altered_bytes_pair_by_header_and_are_told() {
        let altered = A.replace("body", "b0dy");
        let places = pair(&[sought(A), sought(B)], &[found(3, &altered)]);
        assert_eq!(
            places,
            [
                Some(Place {
                    uid: 3,
                    intact: false
                }),
                None
            ]
        );
    }

    #[test]
    fn what_matches_nothing_stands_where_the_server_told() {
        let found = [found(3, "X\r\n\r\n"), found(4, A)];
        let sought = [sought("no header\r\n"), sought(A), sought("other\r\n")];
        let mut places = pair(&sought, &found);
        assert_eq!(places[0], None);
        let uids = [Some((7, 3)), None, Some((7, 4))];
        told(&mut places, &uids, &found, Some(8));
        assert_eq!(places[0], None);
        told(&mut places, &uids, &found, Some(7));
        assert_eq!(
            places[0],
            Some(Place {
                uid: 3,
                intact: false
            })
        );
        assert_eq!(places[2], None);
    }

    #[test]
    fn a_digest_goes_before_a_header() {
        let altered = A.replace("body", "b0dy");
        let places = pair(&[sought(&altered), sought(A)], &[found(1, A)]);
        assert_eq!(
            places,
            [
                None,
                Some(Place {
                    uid: 1,
                    intact: true
                })
            ]
        );
    }
}
