//! `explain`: two messages, or an error code.

use super::{run, run_in};

#[test]
fn two_messages() {
    for (name, second) in [
        ("equal", "one.eml"),
        ("altered", "altered.eml"),
        ("longer", "longer.eml"),
    ] {
        let shown = run_in("explain", &["explain", "one.eml", second]);
        insta::assert_snapshot!(format!("explain-{name}"), shown);
    }
    let json = run_in("explain", &["explain", "one.eml", "altered.eml", "--json"]);
    insta::assert_snapshot!("explain-json", json);
}

#[test]
fn error_codes() {
    insta::assert_snapshot!("explain-code", run(&["explain", "same-mailbox"]));
    insta::assert_snapshot!("explain-code-json", run(&["explain", "auth", "--json"]));
    insta::assert_snapshot!("explain-no-code", run(&["explain", "nothing"]));
    insta::assert_snapshot!(
        "explain-no-file",
        run_in("explain", &["explain", "one.eml", "none.eml"])
    );
}
