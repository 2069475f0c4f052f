//! Bytes of servers and messages made safe to show.

/// Text for a terminal, a log line or a page: invalid UTF-8 as U+FFFD; C0 (line ends and tabs too), DEL, C1 controls, bidirectional
/// and zero-width controls each replaced by U+FFFD. Never longer than `limit` characters (cut with `…`).
#[must_use]
pub fn safe(bytes: &[u8], limit: usize) -> String {
    // No character takes more than four bytes, so this many hold more than `limit` of them.
    let enough = limit.saturating_add(1).saturating_mul(4);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(enough)]);
    let mut shown: Vec<char> = text.chars().take(limit.saturating_add(1)).collect();
    if shown.len() > limit {
        shown.truncate(limit.saturating_sub(1));
        shown.extend((limit > 0).then_some('…'));
    }
    shown
        .into_iter()
        .map(|c| if misleads(c) { '\u{FFFD}' } else { c })
        .collect()
}

/// Does it move the cursor, turn the direction of text, or hide?
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_steers_a_terminal() {
        let bad = "a\x1b[31m\r\n\t\u{7f}\u{9b}\u{202e}\u{200b}\u{feff}z".as_bytes();
        assert_eq!(safe(bad, 99), "a�[31m��������z");
        assert_eq!(safe(b"caf\xe9 \xc3\xa9", 99), "caf� é");
    }

    #[test]
    fn the_limit_counts_characters() {
        assert_eq!(safe("éééé".as_bytes(), 4), "éééé");
        assert_eq!(safe("ééééé".as_bytes(), 4), "ééé…");
        assert_eq!(safe(b"ab", 1), "…");
        assert_eq!(safe(b"ab", 0), "");
        assert_eq!(safe(b"ab", usize::MAX), "ab");
    }

    proptest! {
        #[test]
        fn never_longer_never_misleading(bytes: Vec<u8>, limit in 0usize..40) {
            let shown = safe(&bytes, limit);
            prop_assert!(shown.chars().count() <= limit);
            prop_assert!(!shown.chars().any(misleads));
        }
    }
}
