//! How many days a plan takes, where a day has a limit; and how much of today's is used.

use super::clock::{DAY, day};
use super::{Pacing, Way, way};
use crate::engine::account::{Frame, Logins};
use crate::error::{End, Result};
use crate::job::{Account, Server};
use crate::journal::Journal;
use crate::outcome::Usage;
use crate::plan::{Forecast, Plan};
use crate::source;

/// A limit, what was used of it, and what is still to pass.
struct Limited<'a> {
    server: &'a Server,
    per_day: u64,
    used: u64,
    bytes: u64,
}

impl Limited<'_> {
    /// Midnights that have to pass.
    fn days(&self) -> u32 {
        let today = self.per_day.saturating_sub(self.used);
        let days = self
            .bytes
            .saturating_sub(today)
            .div_ceil(self.per_day.max(1));
        u32::try_from(days).unwrap_or(u32::MAX)
    }

    fn forecast(&self, today: i64) -> Forecast {
        let days = self.days();
        let name = &self.server.preset.provider().name;
        let whose = if name.is_empty() {
            self.server.host()
        } else {
            name.clone()
        };
        let what = match way(self.server.endpoint.end) {
            Way::Down => format!("downloads from {whose}"),
            Way::Up => format!("uploads to {whose}"),
        };
        Forecast {
            bytes: self.bytes,
            what,
            per_day: self.per_day,
            used: self.used,
            days,
            done: (today + i64::from(days)) * DAY,
        }
    }
}

/// The limit that takes longest; `None` where no end of the plan has one. The source is listed for its sizes.
pub(in crate::engine) fn forecast(
    frame: &Frame<'_>,
    logins: &Logins,
    journal: Option<&Journal>,
    (plan, sink): (&Plan, usize),
) -> Result<Option<Forecast>> {
    let account = frame.account;
    let destination = &account.destinations[sink].store;
    let stores = account.sources.iter().map(|source| &source.store);
    let limited = |server: &Server| server.daily_limit().is_some();
    if !stores
        .chain([destination])
        .filter_map(|store| store.server())
        .any(limited)
    {
        return Ok(None);
    }
    let bytes = bytes_waiting(account, logins, plan)?;
    let today = day(frame.pacing.clock.unix());
    let servers = account.sources.iter().map(|source| source.store.server());
    let ends = servers.zip(bytes.iter().copied());
    let ends = ends.chain([(destination.server(), bytes.iter().sum())]);
    let mut longest: Option<Limited<'_>> = None;
    for (server, bytes) in ends {
        let Some((server, per_day)) = server.and_then(|s| Some((s, s.daily_limit()?))) else {
            continue;
        };
        let used = used(journal, server, today)?.bytes;
        let one = Limited {
            server,
            per_day,
            used,
            bytes,
        };
        if longest
            .as_ref()
            .is_none_or(|other| one.days() > other.days())
        {
            longest = Some(one);
        }
    }
    Ok(longest.map(|longest| longest.forecast(today)))
}

fn used(journal: Option<&Journal>, server: &Server, today: i64) -> Result<crate::journal::Used> {
    journal.map_or(Ok(Default::default()), |journal| {
        journal.used(&server.to_string(), way(server.endpoint.end), today)
    })
}

/// Bytes that each source is to give: of a folder of which only some messages wait, their share of all.
fn bytes_waiting(account: &Account, logins: &Logins, plan: &Plan) -> Result<Vec<u64>> {
    let mut bytes = vec![0; account.sources.len()];
    for (index, (spec, login)) in account.sources.iter().zip(&logins.sources).enumerate() {
        let steps = plan
            .steps
            .iter()
            .filter(|step| step.source.source as usize == index);
        let mut steps = steps.filter(|step| step.work.waiting() > 0).peekable();
        if steps.peek().is_none() {
            continue;
        }
        let mut source = source::open(spec, index as u32, login.as_ref())?;
        for step in steps {
            let (mut all, mut messages) = (0_u64, 0_u64);
            source.list(&step.source, &mut |listed| {
                all += listed.size.unwrap_or(0);
                messages += 1;
                Ok(())
            })?;
            let waiting = u128::from(step.work.waiting().min(messages));
            let share = u128::from(all) * waiting / u128::from(messages.max(1));
            bytes[index] += u64::try_from(share).unwrap_or(u64::MAX);
        }
        source.close()?;
    }
    Ok(bytes)
}

/// What an account used today of each of its limits.
///
/// # Errors
/// Those of the journal.
pub(in crate::engine) fn used_today(account: &Account, journal: &Journal) -> Result<Vec<Usage>> {
    let today = day(Pacing::system_clock().unix());
    let sources = account.sources.iter().map(|source| &source.store);
    let stores = sources.chain(account.destinations.iter().map(|to| &to.store));
    let mut usage = Vec::new();
    for server in stores.filter_map(|store| store.server()) {
        let Some(per_day) = server.daily_limit() else {
            continue;
        };
        let used = used(Some(journal), server, today)?;
        usage.push(Usage {
            end: server.to_string(),
            way: match server.endpoint.end {
                End::Source => "down",
                End::Destination => "up",
            },
            bytes: used.bytes,
            per_day,
            paused: used.paused,
        });
    }
    Ok(usage)
}
