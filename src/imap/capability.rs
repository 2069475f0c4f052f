//! What a server says it can do (RFC 9051 §7.2.2).

use std::collections::BTreeSet;

/// The capabilities that decide something here, and all names as they came (upper case).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 7888: literals of any size need not be waited for.
    pub literal_plus: bool,
    /// RFC 7888: literals up to 4096 bytes need not be waited for.
    pub literal_minus: bool,
    /// RFC 3502.
    pub multiappend: bool,
    /// RFC 4315.
    pub uidplus: bool,
    /// RFC 6154.
    pub special_use: bool,
    pub create_special_use: bool,
    /// RFC 5258.
    pub list_extended: bool,
    /// RFC 5819.
    pub list_status: bool,
    /// RFC 7162.
    pub condstore: bool,
    pub qresync: bool,
    /// RFC 2342.
    pub namespace: bool,
    /// RFC 2971.
    pub id: bool,
    /// RFC 6851.
    pub move_: bool,
    /// RFC 3691.
    pub unselect: bool,
    /// RFC 8474.
    pub object_id: bool,
    /// `X-GM-EXT-1`.
    pub gmail: bool,
    /// RFC 4959: a first response may stand in the AUTHENTICATE line.
    pub sasl_ir: bool,
    pub auth_plain: bool,
    pub login_disabled: bool,
    pub starttls: bool,
    /// RFC 7889: the largest message the server takes, in bytes. `None`: not told for all mailboxes.
    pub append_limit: Option<u64>,
    pub all: BTreeSet<String>,
}

impl Capabilities {
    /// From the names after `CAPABILITY`, separated by spaces. A server of IMAP4rev2 alone has what that includes.
    #[must_use]
    pub fn parse(names: &[u8]) -> Self {
        let all: BTreeSet<String> = String::from_utf8_lossy(names)
            .split_ascii_whitespace()
            .map(str::to_ascii_uppercase)
            .collect();
        let has = |name: &str| all.contains(name);
        let rev2 = has("IMAP4REV2") && !has("IMAP4REV1");
        Capabilities {
            literal_plus: has("LITERAL+"),
            literal_minus: has("LITERAL-") || rev2,
            multiappend: has("MULTIAPPEND"),
            uidplus: has("UIDPLUS") || rev2,
            special_use: has("SPECIAL-USE") || rev2,
            create_special_use: has("CREATE-SPECIAL-USE"),
            list_extended: has("LIST-EXTENDED") || rev2,
            list_status: has("LIST-STATUS") || rev2,
            condstore: has("CONDSTORE") || has("QRESYNC"),
            qresync: has("QRESYNC"),
            namespace: has("NAMESPACE") || rev2,
            id: has("ID"),
            move_: has("MOVE") || rev2,
            unselect: has("UNSELECT") || rev2,
            object_id: has("OBJECTID"),
            gmail: has("X-GM-EXT-1"),
            sasl_ir: has("SASL-IR") || rev2,
            auth_plain: has("AUTH=PLAIN"),
            login_disabled: has("LOGINDISABLED"),
            starttls: has("STARTTLS"),
            append_limit: all
                .iter()
                .find_map(|name| name.strip_prefix("APPENDLIMIT=")?.parse().ok()),
            all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_junk_is_kept() {
        let c = Capabilities::parse(b"imap4rev1 Literal+ AUTH=plain APPENDLIMIT=35651584  X=\xff");
        assert!(c.literal_plus && c.auth_plain && !c.multiappend && !c.namespace);
        assert_eq!(c.append_limit, Some(35_651_584));
        assert_eq!(c.all.len(), 5);
        assert_eq!(
            Capabilities::parse(b"APPENDLIMIT APPENDLIMIT=x").append_limit,
            None
        );
        assert!(Capabilities::parse(b"IMAP4rev2").uidplus);
    }
}
