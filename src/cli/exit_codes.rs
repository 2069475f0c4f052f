//! What the process ends with; the contract is `docs/exit-codes.md`.

use crate::compare::AccountCheck;
use crate::error::{Code, End, Error, Kind};
use crate::outcome::{AccountReport, Outcome};

/// How mailhaul ends. Where several apply (several accounts, say), the worst one counts: see [`ExitCode::worst`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Trouble = 3,
    Differs = 4,
    Altered = 5,
    Source = 10,
    Destination = 11,
    Archive = 12,
    Full = 13,
    Interrupted = 130,
}

impl ExitCode {
    /// The best first, the worst last.
    pub const ALL: [ExitCode; 11] = [
        ExitCode::Done,
        ExitCode::Altered,
        ExitCode::Differs,
        ExitCode::Trouble,
        ExitCode::Failed,
        ExitCode::Full,
        ExitCode::Destination,
        ExitCode::Source,
        ExitCode::Archive,
        ExitCode::Usage,
        ExitCode::Interrupted,
    ];

    /// The number the process ends with.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// One line for the manual page and the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Done => "done",
            ExitCode::Failed => "failed",
            ExitCode::Usage => "wrong usage, or an invalid job",
            ExitCode::Trouble => "finished, but some messages were not copied",
            ExitCode::Differs => "verify, archive check or archive rebuild found a difference",
            ExitCode::Altered => "a server altered messages (only with --strict)",
            ExitCode::Source => "source unreachable, or it refused",
            ExitCode::Destination => "destination unreachable, or it refused",
            ExitCode::Archive => "archive or journal locked by another run, or foreign",
            ExitCode::Full => "destination full",
            ExitCode::Interrupted => "interrupted; the same command goes on where it stopped",
        }
    }

    fn rank(self) -> usize {
        ExitCode::ALL
            .iter()
            .position(|&code| code == self)
            .unwrap_or(ExitCode::ALL.len())
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: ExitCode) -> ExitCode {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    /// What an error that ended an account, or the program, leads to.
    #[must_use]
    pub fn of_error(error: &Error) -> ExitCode {
        match (error.kind, error.code) {
            (Kind::Interrupted, _) | (_, Code::Interrupted) => ExitCode::Interrupted,
            (Kind::Job, _) | (_, Code::Usage | Code::Job | Code::SameMailbox | Code::Secret) => {
                ExitCode::Usage
            }
            (_, Code::Locked | Code::Foreign) => ExitCode::Archive,
            (_, Code::Full) => ExitCode::Full,
            // Files that cannot be read are a source that cannot be reached.
            (_, Code::Disk) if error.end == Some(End::Source) => ExitCode::Source,
            (_, Code::Journal | Code::Disk | Code::Internal) => ExitCode::Failed,
            _ => ExitCode::of_end(error.end),
        }
    }

    fn of_end(end: Option<End>) -> ExitCode {
        match end {
            Some(End::Source) => ExitCode::Source,
            Some(End::Destination) => ExitCode::Destination,
            None => ExitCode::Failed,
        }
    }

    /// What one account's run leads to.
    #[must_use]
    pub fn of_report(report: &AccountReport, strict: bool) -> ExitCode {
        let error = report.error.as_ref().map(ExitCode::of_error);
        let folders = report.folders.iter().filter_map(|f| f.error.as_ref());
        error
            .into_iter()
            .chain(folders.map(ExitCode::of_folder_error))
            .fold(ExitCode::of_counts(report, strict), ExitCode::worst)
    }

    /// What a comparison leads to. A folder that could not be read proves nothing, and is the fault of an end.
    #[must_use]
    pub fn of_check(check: &AccountCheck, strict: bool) -> ExitCode {
        let folders = check.folders.iter().filter_map(|f| f.error.as_ref());
        let errors = check.error.iter().chain(folders).map(ExitCode::of_error);
        let compared = match check.differs(strict) {
            true => ExitCode::Differs,
            false => ExitCode::Done,
        };
        errors.fold(compared, ExitCode::worst)
    }

    /// A folder that failed leaves messages uncopied; only a full destination or a Ctrl-C says more than that.
    fn of_folder_error(error: &Error) -> ExitCode {
        match ExitCode::of_error(error) {
            code @ (ExitCode::Full | ExitCode::Interrupted) => code,
            _ => ExitCode::Trouble,
        }
    }

    fn of_counts(report: &AccountReport, strict: bool) -> ExitCode {
        let counts = report.counts();
        let trouble = counts.of(Outcome::Rejected) + counts.of(Outcome::Failed);
        if trouble > 0 || report.unaccounted() != 0 {
            ExitCode::Trouble
        } else if strict && counts.of(Outcome::Altered) > 0 {
            ExitCode::Altered
        } else {
            ExitCode::Done
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FolderReport;
    use std::time::Duration;

    fn report(outcome: Outcome, error: Option<Error>) -> AccountReport {
        let mut folder = FolderReport {
            folder: "INBOX".into(),
            to: "INBOX".into(),
            source_count: 1,
            counts: crate::outcome::Counts::default(),
            flags_changed: 0,
            bytes: 1,
            read: None,
            delivered: None,
            error: None,
        };
        folder.counts.add(outcome, 1);
        AccountReport {
            account: "a".into(),
            folders: vec![folder],
            trouble: Vec::new(),
            elapsed: Duration::ZERO,
            after: 0,
            vanished: 0,
            error,
            high_water: 0,
            spent: None,
        }
    }

    #[test]
    fn the_documentation_has_exactly_these_codes() {
        let rows: Vec<(u8, String)> = include_str!("../../docs/exit-codes.md")
            .lines()
            .filter_map(|line| {
                let mut cells = line.trim_matches('|').split('|').map(str::trim);
                let number = cells.next()?.trim_matches('`').parse().ok()?;
                Some((number, cells.next()?.to_owned()))
            })
            .collect();
        let mut codes = ExitCode::ALL;
        codes.sort_by_key(|code| code.number());
        let expected: Vec<(u8, String)> = codes
            .iter()
            .map(|code| (code.number(), code.meaning().to_owned()))
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn errors_lead_to_codes() {
        let cases = [
            (Kind::Interrupted, Code::Interrupted, None, 130),
            (Kind::Job, Code::Job, None, 2),
            (Kind::Account, Code::SameMailbox, None, 2),
            (Kind::Account, Code::Secret, Some(End::Source), 2),
            (Kind::Account, Code::Locked, None, 12),
            (Kind::Account, Code::Foreign, None, 12),
            (Kind::Account, Code::Auth, Some(End::Source), 10),
            (Kind::Transient, Code::Connect, Some(End::Destination), 11),
            (Kind::Account, Code::Full, Some(End::Destination), 13),
            (Kind::Internal, Code::Disk, None, 1),
            (Kind::Internal, Code::Internal, Some(End::Source), 1),
        ];
        for (kind, code, end, number) in cases {
            let mut error = Error::new(kind, code, "x");
            error.end = end;
            assert_eq!(ExitCode::of_error(&error).number(), number, "{error:?}");
        }
    }

    #[test]
    fn outcomes_lead_to_codes() {
        for outcome in Outcome::ALL {
            let number = ExitCode::of_report(&report(outcome, None), true).number();
            let expected = match outcome {
                Outcome::Rejected | Outcome::Failed => 3,
                Outcome::Altered => 5,
                _ => 0,
            };
            assert_eq!(number, expected, "{outcome:?}");
        }
        let altered = report(Outcome::Altered, None);
        assert_eq!(ExitCode::of_report(&altered, false), ExitCode::Done);
    }

    #[test]
    fn a_message_without_an_outcome_is_never_success() {
        let mut short = report(Outcome::Copied, None);
        short.folders[0].source_count = 2;
        assert_eq!(ExitCode::of_report(&short, false), ExitCode::Trouble);
    }

    #[test]
    fn a_failed_folder_is_trouble_and_a_full_one_is_full() {
        let refused = Error::new(Kind::Folder, Code::Refused, "x").at(End::Destination);
        let mut run = report(Outcome::Copied, None);
        run.folders[0].error = Some(refused);
        assert_eq!(ExitCode::of_report(&run, false), ExitCode::Trouble);
        run.folders[0].error = Some(Error::new(Kind::Folder, Code::Full, "x"));
        assert_eq!(ExitCode::of_report(&run, false), ExitCode::Full);
    }

    #[test]
    fn the_worst_counts() {
        use ExitCode::{Archive, Done, Interrupted, Trouble, Usage};
        let all = [Done, Trouble, Archive, Usage, Interrupted];
        for (at, better) in all.iter().enumerate() {
            for worse in &all[at..] {
                assert_eq!(better.worst(*worse), *worse);
                assert_eq!(worse.worst(*better), *worse);
            }
        }
    }
}
