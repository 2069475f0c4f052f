//! What a refusal of messages leads to: once more, somewhat lighter, later, or never.

use super::batch::Pending;
use super::deliver::Deliverer;
use super::sorting::Sorted;
use super::target;
use crate::error::{Code, End, Error, Kind, Result};
use crate::net::suggested_wait;
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::sink::Refusal;

/// Times that a server may put a message off.
const DELAYS: u32 = 5;

/// Sorts the messages of a part that were refused, each in the server's words. A folder is made, and patience had, once for
/// all of them.
pub(super) fn sort_out(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    refused: Vec<(Pending, String, Refusal)>,
    sorted: &mut Sorted,
) -> Result<()> {
    let (mut homeless, mut later, mut wait) = (Vec::new(), Vec::new(), None);
    let mut code = Code::Throttled;
    for (mut item, words, why) in refused {
        match why {
            Refusal::Full => {
                sorted.fatal.get_or_insert_with(|| full(target, &words));
                sorted.refused.push((item, words, Outcome::Failed));
            }
            Refusal::NoFolder if item.delays == 0 => {
                item.delays += 1;
                homeless.push(item);
            }
            Refusal::Later if item.delays < DELAYS => {
                item.delays += 1;
                later.push(item);
                wait.get_or_insert(words);
            }
            Refusal::Tomorrow => {
                // That is no message's fault, however often.
                code = Code::DailyLimit;
                later.push(item);
                wait = Some(words);
            }
            Refusal::Later => sorted.refused.push((item, words, Outcome::Failed)),
            _ if lighten(&mut item, &words) => sorted.again.push(vec![item]),
            _ => sorted.refused.push((item, words, Outcome::Rejected)),
        }
    }
    if !homeless.is_empty() {
        target::make(&mut deliverer.link, target)?;
        // A folder made anew has another UIDVALIDITY, and its UIDs start again.
        deliverer.landings.forget(&target.name);
        sorted.again.push(homeless);
    }
    if let Some(words) = wait {
        // The wait itself comes once what is known is written down.
        sorted.put_off.get_or_insert_with(|| put_off(code, &words));
        sorted.again.push(later);
    }
    Ok(())
}

fn put_off(code: Code, words: &str) -> Error {
    let kind = suggested_wait(words).map_or(Kind::Transient, Kind::Throttled);
    Error::new(kind, code, "the destination puts messages off")
        .words(words)
        .at(End::Destination)
}

fn full(target: &Target, words: &str) -> Error {
    Error::new(
        Kind::Account,
        Code::Full,
        format!("no room at the destination, at folder {}", target.folder),
    )
    .words(words)
    .hint("make room or raise the quota there, then run again: it goes on where it stopped")
    .at(End::Destination)
}

/// Takes keywords off, then the date, from a message that was refused, where the words do not say that it is the message itself.
/// `false`: nothing is left to take off.
fn lighten(item: &mut Pending, words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let says = |hints: &[&str]| hints.iter().any(|hint| words.contains(hint));
    if !item.flags.keywords.is_empty()
        && says(&["keyword", "flag", "parse", "invalid", "argument", "syntax"])
    {
        item.without.push(format!("keywords ({words})"));
        item.flags.keywords.clear();
        return true;
    }
    if item.date.is_some() && says(&["date", "time", "parse", "invalid", "argument", "syntax"]) {
        item.without.push(format!("its date ({words})"));
        item.date = None;
        return true;
    }
    false
}
