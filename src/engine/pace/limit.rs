//! What one level allows a second: an end of an account, a host, the whole job. Each direction has its own.

use super::bucket::Bucket;
use crate::job::Limits;
use crate::net::Way;
use std::sync::Arc;
use std::time::Duration;

/// A bucket for each direction.
#[derive(Debug)]
struct Pair {
    down: Bucket,
    up: Bucket,
}

impl Pair {
    fn new(rate: u64, burst: u64) -> Self {
        Pair {
            down: Bucket::new(rate, burst),
            up: Bucket::new(rate, burst),
        }
    }

    fn of(&self, way: Way) -> &Bucket {
        match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        }
    }
}

#[derive(Debug)]
pub(super) struct Limit {
    limits: Limits,
    bytes: Option<Pair>,
    messages: Option<Pair>,
}

impl Limit {
    /// `None` where nothing is limited.
    pub(super) fn new(limits: Limits) -> Option<Arc<Self>> {
        if limits == Limits::default() {
            return None;
        }
        // A quarter of a second's worth at once: smooth for whoever shares the line.
        let pair = |rate: u64| Pair::new(rate, rate / 4);
        Some(Arc::new(Limit {
            limits,
            bytes: limits.rate.map(pair),
            messages: limits.messages.map(pair),
        }))
    }

    /// Bytes a second.
    pub(super) fn rate(&self) -> Option<u64> {
        self.limits.rate
    }

    /// Messages a second.
    pub(super) fn messages(&self) -> Option<u64> {
        self.limits.messages
    }

    pub(super) fn take_bytes(&self, way: Way, bytes: u64, now: Duration) -> Duration {
        let bucket = self.bytes.as_ref().map(|pair| pair.of(way));
        bucket.map_or(Duration::ZERO, |bucket| bucket.take(bytes, now))
    }

    pub(super) fn take_messages(&self, way: Way, messages: u64, now: Duration) -> Duration {
        let bucket = self.messages.as_ref().map(|pair| pair.of(way));
        bucket.map_or(Duration::ZERO, |bucket| bucket.take(messages, now))
    }
}
