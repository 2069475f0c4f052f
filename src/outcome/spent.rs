//! Where the seconds of a run went.

use std::time::Duration;

/// What a thread of a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For a connection to be made and signed in, at either end.
    Connecting,
    /// For the source: what it sends, or the disk where it is files.
    Source,
    /// For the destination: that it takes what is sent and answers, or the disk.
    Destination,
    /// For room in the byte budget: what was read before is not delivered yet.
    Memory,
    /// The reading side, for the stages after it to take a message.
    HeldBack,
    /// For the archive on the way to the destination, its fsyncs among it.
    Archive,
    /// For the journal to commit.
    Journal,
    /// Because a server asked for it, or before another attempt.
    Pause,
}

impl Wait {
    pub const ALL: [Wait; 8] = [
        Wait::Connecting,
        Wait::Source,
        Wait::Destination,
        Wait::Memory,
        Wait::HeldBack,
        Wait::Archive,
        Wait::Journal,
        Wait::Pause,
    ];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Wait::Connecting => "connecting",
            Wait::Source => "source",
            Wait::Destination => "destination",
            Wait::Memory => "memory",
            Wait::HeldBack => "held_back",
            Wait::Archive => "archive",
            Wait::Journal => "journal",
            Wait::Pause => "pause",
        }
    }
}

/// The waits of a run, measured, each summed over all threads: several wait at once, so that one sum may be longer than the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    waits: [Duration; 8],
    /// Processor time of the whole process, from its start.
    pub processor: Duration,
    /// Connections made to sources, files opened among them.
    pub sources: u64,
    /// The same at destinations.
    pub destinations: u64,
}

impl Spent {
    pub fn add(&mut self, wait: Wait, time: Duration) {
        self.waits[wait as usize] += time;
    }

    #[must_use]
    pub fn on(&self, wait: Wait) -> Duration {
        self.waits[wait as usize]
    }

    /// Another account of the same process.
    pub fn merge(&mut self, other: &Spent) {
        for wait in Wait::ALL {
            self.add(wait, other.on(wait));
        }
        self.processor = self.processor.max(other.processor);
        self.sources += other.sources;
        self.destinations += other.destinations;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_add_up_and_share_one_processor_time() {
        let second = Duration::from_secs(1);
        let mut one = Spent {
            processor: second,
            sources: 2,
            ..Spent::default()
        };
        one.add(Wait::Source, second);
        let mut other = Spent {
            processor: 3 * second,
            destinations: 1,
            ..Spent::default()
        };
        other.add(Wait::Source, 2 * second);
        other.add(Wait::Pause, second);
        one.merge(&other);
        assert_eq!(one.on(Wait::Source), 3 * second);
        assert_eq!(one.on(Wait::Pause), second);
        assert_eq!(one.on(Wait::Journal), Duration::ZERO);
        assert_eq!(one.processor, 3 * second);
        assert_eq!((one.sources, one.destinations), (2, 1));
    }

    #[test]
    fn every_wait_has_a_place_of_its_own() {
        let places = Wait::ALL.map(|wait| wait as usize);
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
