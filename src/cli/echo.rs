//! While progress bars are drawn a terminal echoes no `^C`: it would stand at the end of a full line, push the bars down by one, and the
//! last of them would stay there for good.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::sync::Mutex;

/// How the terminal was, while it is otherwise.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Stops the echo, where stdin is a terminal that does it. Not to be able to is no reason to do without bars.
pub(super) fn hush() {
    let Ok(mode) = tcgetattr(std::io::stdin()) else {
        return;
    };
    if !mode.local_modes.contains(LocalModes::ECHOCTL) {
        return;
    }
    let mut quiet = mode.clone();
    quiet.local_modes.remove(LocalModes::ECHOCTL);
    if tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet).is_ok()
        && let Ok(mut before) = BEFORE.lock()
    {
        *before = Some(mode);
    }
}

/// Makes the terminal what it was.
pub(super) fn restore() {
    let Ok(mut before) = BEFORE.lock() else {
        return;
    };
    if let Some(mode) = before.take() {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &mode);
    }
}
