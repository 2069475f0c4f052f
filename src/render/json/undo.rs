//! The lines of `undo`.

use super::parts::ErrorJson;
use super::verify::NameJson;
use crate::engine::undo::UndoReport;
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum UndoLine<'a> {
    UndoLeft {
        account: &'a str,
        folder: &'a str,
        standing: NameJson<'a>,
        why: &'a str,
    },
    Undo {
        account: &'a str,
        destination: &'a str,
        run: i64,
        dry_run: bool,
        added: u64,
        taken_back: u64,
        marked: u64,
        left: usize,
        not_looked_at: u64,
        empty_folders: &'a [String],
        seconds: f64,
        error: Option<ErrorJson<'a>>,
    },
}

impl<'a> UndoLine<'a> {
    pub(super) fn all(report: &'a UndoReport) -> Vec<Self> {
        let account = report.account.as_str();
        let left = report.left.iter().map(|left| UndoLine::UndoLeft {
            account,
            folder: &left.folder,
            standing: NameJson::new(&left.name),
            why: &left.why,
        });
        let last = UndoLine::Undo {
            account,
            destination: &report.destination,
            run: report.run,
            dry_run: report.dry_run,
            added: report.added,
            taken_back: report.taken_back,
            marked: report.marked,
            left: report.left.len(),
            not_looked_at: report.not_looked_at(),
            empty_folders: &report.empty,
            seconds: report.elapsed.as_secs_f64(),
            error: report.error.as_ref().map(ErrorJson::new),
        };
        left.chain(std::iter::once(last)).collect()
    }
}
