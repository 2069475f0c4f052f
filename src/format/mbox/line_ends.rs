//! What of a message's line ends its bytes in an mbox cannot tell.

use serde::{Deserialize, Serialize};

/// Together with the bytes in the file this gives back the canonical form exactly.
///
/// An mbox needs a line end before the empty line that ends a message. Everything else is told by the bytes: they are with LF where
/// that can be turned back, else (CRCRLF) as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LineEnds {
    /// The message has no final line end: the one in the file is not its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub final_added: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}
