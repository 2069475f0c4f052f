//! Jobs with a CSV of accounts.

use super::{job, load_with, only_error};

const MANY: &str = "accounts = \"users.csv\"";

fn many(archive: &str) -> String {
    job(MANY, "", &format!("[archive]\npath = \"{archive}\""))
        .replace("\"budi\"", "\"{user}\"")
        .replace("\"new\"", "\"{user}\"")
}

#[test]
fn accounts_come_from_the_csv() {
    let loaded = load_with(&many("{user}.archive"), "user,x\nbudi,1\nsiti,2\n", &[]).unwrap();
    let names: Vec<_> = loaded.accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["budi", "siti"]);
    assert_eq!(
        loaded.accounts[1].sources[0].store.server().unwrap().user,
        "siti"
    );
    assert!(loaded.accounts[1].archive.path.ends_with("siti.archive"));
    let chosen = loaded.clone().select(&["siti".to_owned()]).unwrap();
    assert_eq!(chosen.accounts.len(), 1);
    let errors = loaded
        .select(&["sita".to_owned(), "x".to_owned()])
        .unwrap_err();
    assert_eq!(errors.len(), 2);
}

#[test]
fn a_column_may_be_a_number() {
    let text = many("{user}").replacen("user =", "port = \"{port}\"\nuser =", 1);
    let loaded = load_with(&text, "user,port\nbudi,1100\n", &[]).unwrap();
    assert_eq!(
        loaded.accounts[0].sources[0]
            .store
            .server()
            .unwrap()
            .endpoint
            .port,
        1100
    );
    let errors = load_with(&text, "user,port\nbudi,1100\nsiti,x\n", &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("(with users.csv:3): source.port: expected a number"),
        "{errors:?}"
    );
}

#[test]
fn accounts_need_their_own_archives() {
    let errors = load_with(&many("one.archive"), "user\nbudi\nsiti\n", &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("same archive") && errors[0].contains("{user}.archive"));
    let without = job(MANY, "", "").replace("\"budi\"", "\"{user}\"");
    let loaded = load_with(&without, "user\nbudi\nsiti\n", &[]).unwrap();
    assert!(loaded.accounts[1].archive.path.ends_with("job.state/siti"));
}

#[test]
fn a_fault_of_the_job_is_told_once_for_all_accounts() {
    let text = many("{user}").replacen("user =", "port = 0\nuser =", 1);
    let errors = load_with(&text, "user\nbudi\nsiti\n", &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn a_csv_that_cannot_be_read_is_told() {
    let text = many("{user}").replace("users.csv", "nobody.csv");
    let error = only_error(&text);
    assert!(
        error.starts_with("job.toml:2:12: accounts: cannot read"),
        "{error}"
    );
}

#[test]
fn a_column_that_is_not_there_is_told_once() {
    let text = many("{usr}");
    let errors = load_with(&text, "user\nbudi\nsiti\n", &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("archive.path: no column"), "{errors:?}");
}

/// The second account's fault is the first one's again; what hangs on it is not told instead.
#[test]
fn a_bad_source_brings_no_fault_of_routes_after_it() {
    let text = many("{user}").replacen("protocol = \"pop3\"", "protocol = \"pop4\"", 1)
        + "[[route]]\nfrom = \"a@b\"\nfolder = \"X\"\n";
    let errors = load_with(&text, "user\nbudi\nsiti\n", &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("source.protocol"), "{errors:?}");
}
