//! What each error code means and what to do about it: the texts of `explain CODE` and of `docs/errors.md`.

use super::Code;

impl Code {
    /// All of them, in the order of the documentation.
    pub const ALL: [Code; 20] = [
        Code::Usage,
        Code::Job,
        Code::Secret,
        Code::Connect,
        Code::Timeout,
        Code::Tls,
        Code::Auth,
        Code::Protocol,
        Code::Refused,
        Code::Throttled,
        Code::DailyLimit,
        Code::Full,
        Code::SameMailbox,
        Code::Locked,
        Code::Foreign,
        Code::Journal,
        Code::Deletions,
        Code::Disk,
        Code::Interrupted,
        Code::Internal,
    ];

    /// The inverse of [`Code::as_str`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Code::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// What it means, in one or two sentences.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Code::Usage => "The command line is not one that mailhaul takes. Nothing was done.",
            Code::Job => {
                "The job file cannot be read, or a key of it is wrong. Nothing was connected to."
            }
            Code::Secret => {
                "A password could not be had: the variable, file, command or keyring entry that the job names gave none."
            }
            Code::Connect => {
                "The host was not found, nothing listens there, or the connection was lost and could not be made again."
            }
            Code::Timeout => "The server said nothing for as long as the job's timeout allows.",
            Code::Tls => {
                "No secure connection: the server offers none, or its certificate is not to be trusted under that name."
            }
            Code::Auth => "The server refused the login.",
            Code::Protocol => {
                "The server said something that is not the protocol, or changed a folder while it was being read."
            }
            Code::Refused => "The server understood and said no; its words stand in the error.",
            Code::Throttled => "The server asked to slow down, and kept on asking.",
            Code::DailyLimit => {
                "As much mail was read or stored today as the provider or the job allows a day."
            }
            Code::Full => "There is no room left at the destination.",
            Code::SameMailbox => {
                "Both ends of the job are one mailbox: copying it onto itself would double all mail."
            }
            Code::Locked => "Another run works on this account, or took it over.",
            Code::Foreign => {
                "The archive or journal belongs to another account, another program, or a newer mailhaul."
            }
            Code::Journal => "The journal is damaged or cannot be read.",
            Code::Deletions => {
                "More mail has gone from the source than is plausible, so that nothing was taken out of the archive."
            }
            Code::Disk => "The local disk refused to read or write; the file stands in the error.",
            Code::Interrupted => "Ctrl-C or a signal. Everything done so far is kept.",
            Code::Internal => "A defect of mailhaul. What was committed is kept.",
        }
    }

    /// What to do now.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Code::Usage => "Look at the command's `--help`.",
            Code::Job => {
                "Correct the line that the error names; `sample-jobs/full.toml` has every key."
            }
            Code::Secret => {
                "Provide it as the job says (in a scheduled run: in that environment too), or name another place in the job."
            }
            Code::Connect => {
                "Check host and port, and that a firewall or VPN lets them through; run again: it goes on where it stopped."
            }
            Code::Timeout => {
                "Run again; if it stays so, use fewer connections or a longer timeout."
            }
            Code::Tls => {
                "Use the name that the certificate has; give the CA of a private server as `ca-file`, or its key as `pin-sha256`."
            }
            Code::Auth => {
                "Check user and password; many providers want an app password, or IMAP and POP3 to be switched on first."
            }
            Code::Protocol => {
                "Check that the port speaks the job's protocol; run again; if it stays so, report it with the server's name and version."
            }
            Code::Refused => {
                "Read the server's words; what it refuses for one message or folder does not stop the others."
            }
            Code::Throttled => "Run again later, with fewer connections.",
            Code::DailyLimit => {
                "Run again after midnight (UTC): it goes on where it stopped. `[limits] on-daily-limit = \"wait\"` waits by itself."
            }
            Code::Full => {
                "Make room at the destination, or leave mail out with [filter]; run again."
            }
            Code::SameMailbox => "Name another account as the destination.",
            Code::Locked => {
                "Wait for the other run to end; if none is going on, run again: the lock ends with its process."
            }
            Code::Foreign => {
                "Give the job another archive path; if the account was only renamed, link it anew as the error says."
            }
            Code::Journal => {
                "Put a copy of the archive's directory back; without one, a new archive path makes a run that adopts what stands at the destination."
            }
            Code::Deletions => {
                "Look at the source. If the mail is meant to be gone, run again with the option that the error names."
            }
            Code::Disk => "Make room, or correct the owner and rights of that file; run again.",
            Code::Interrupted => "Run the same command again: it goes on where it stopped.",
            Code::Internal => {
                "Run again; if it comes back, report it with the command and all that it printed."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_texts() {
        // The last of the list is the last of the enumeration, so none is left out.
        assert_eq!(Code::ALL.len(), Code::Internal as usize + 1);
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(code));
            assert!(code.meaning().ends_with('.') && code.remedy().ends_with('.'));
        }
        assert_eq!(Code::from_word("nothing"), None);
    }

    #[test]
    fn the_documentation_has_exactly_these_texts() {
        let rows: Vec<Vec<&str>> = include_str!("../../docs/errors.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .map(|row| {
                row.trim_end_matches('|')
                    .split('|')
                    .map(str::trim)
                    .collect()
            })
            .collect();
        let expected: Vec<Vec<String>> = Code::ALL
            .iter()
            .map(|code| {
                let word = format!("{}`", code.as_str());
                vec![word, code.meaning().to_owned(), code.remedy().to_owned()]
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
