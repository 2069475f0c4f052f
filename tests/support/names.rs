//! Folder names that break naive programs, as IMAP's modified UTF-7, with `/` between the levels.

/// Names that Dovecot accepts with separator `/` and Maildir in `LAYOUT=fs`.
pub fn difficult() -> Vec<String> {
    let mut names: Vec<String> = [
        "a.b",
        "dotted.name/with.dots",
        "back\\slash",
        "quo\"te",
        "R&-D",
        "star*",
        "100%",
        "a*b%c \"d\" \\e",
        "spaces in it",
        " leading",
        "trailing ",
        "Gr&APwA3w-e",
        "&U,BTFw-",
        "&ZeVnLIqe-/&MOEw,DDr-",
        "&BB8EQAQ4BDIENQRC-",
        "&BkUGMQYtBigGJw-",
        "&2D3cjA-",
        "{5}",
        "(parens)",
        "[brackets]",
        "semi;colon",
        "#hash",
        "$dollar",
        "inbox2",
        "INBOXES",
        "UPPER",
        "upper",
        "con",
        "Sub/Sub/Sub/Sub/Sub",
        "INBOX/Below",
    ]
    .map(String::from)
    .into();
    names.push("n".repeat(200));
    names
}

/// The difficult ones, the special-use ones, and plain ones until there are `count`.
pub fn sixty() -> Vec<String> {
    let mut names = difficult();
    names.extend(["Sent", "Drafts", "Trash", "Junk", "Archive"].map(String::from));
    let mut year = 1990;
    while names.len() < 59 {
        names.push(format!("Years/{year}"));
        year += 1;
    }
    // The sixtieth is INBOX, which need not be made.
    names
}
