//! Mail files as Python's standard library reads them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use std::process::Command;

/// Every message that Python's `mailbox` finds in an mbox, with `>From ` undone as mboxrd says, which Python leaves to its caller.
pub fn mbox(path: &Path) -> Vec<Vec<u8>> {
    let script = "import mailbox, re, sys, base64\n\
        box = mailbox.mbox(sys.argv[1], create=False)\n\
        for key in box.keys():\n\
        \x20   text = re.sub(rb'(?m)^>(>*From )', rb'\\1', box.get_bytes(key))\n\
        \x20   print(base64.b64encode(text).decode())\n";
    let out = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .output()
        .expect("python3");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8(out.stdout).expect("base64");
    let decode = |line: &str| STANDARD.decode(line).expect("base64");
    text.lines().map(decode).collect()
}
