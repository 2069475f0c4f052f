//! Colours, where the terminal wants them.

/// Paints, or leaves text as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub const PLAIN: Paint = Paint { on: false };

    #[must_use]
    pub fn new(on: bool) -> Self {
        Paint { on }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    #[must_use]
    pub fn dubious(self, text: &str) -> String {
        self.wrap("33", text)
    }

    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_without_colour() {
        assert_eq!(Paint::PLAIN.bad("x"), "x");
        assert_eq!(Paint::new(true).strong("x"), "\x1b[1mx\x1b[0m");
    }
}
