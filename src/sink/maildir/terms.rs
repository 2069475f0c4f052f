//! What the Maildir sink says in the terms of [`Sink`](crate::sink::Sink).

use crate::format::maildir::{Letter, Live};
use crate::message::SourceKey;
use crate::sink::disk::count;
use crate::sink::{Delivery, Door};

pub(super) fn door(live: &Live) -> Door {
    Door {
        uid_validity: live.validity(),
        floor: live.next(),
        messages: count(live.files()),
    }
}

pub(super) fn letter<'a>(delivery: &Delivery<'a>) -> Letter<'a> {
    Letter {
        body: delivery.body,
        flags: delivery.flags,
        date: delivery.date,
    }
}

/// The unique-id that a POP3 client knows the message by. One that stood on several messages names none of them.
pub(super) fn uidl(delivery: &Delivery<'_>) -> Option<Vec<u8>> {
    match delivery.key {
        SourceKey::Name { name, ordinal: 0 } if delivery.from_pop3 => Some(name.to_vec()),
        _ => None,
    }
}
