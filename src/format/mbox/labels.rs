//! `X-Gmail-Labels`: the field in which Google Takeout tells a message's labels.
//!
//! A comma-separated list in the language of the account, often as RFC 2047 encoded words; a name with a comma is in quotes. Labels are folders, but for
//! those that are a message's state.

use crate::message::{Folder, SpecialUse, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the labels of one message say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Each once, in the order of the labels.
    named: Vec<Folder>,
    pub unread: bool,
    pub starred: bool,
    pub draft: bool,
}

/// What Gmail's own labels mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Inbox,
    Unread,
    Starred,
    /// A state or a heap of Gmail's that is no folder: opened, archived, important, categories.
    State,
}

/// Lower case. Sent, Drafts, Trash and Spam are found by [`SpecialUse::guess`].
const OWN: [(Own, &str); 4] = [
    (
        Own::Inbox,
        "inbox|posteingang|boîte de réception|recibidos|bandeja de entrada|caixa de entrada|posta in arrivo|postvak in|kotak masuk|входящие|\
         gelen kutusu|inkorgen|innboks|indbakke|saapuneet|odebrane|doručená pošta|受信トレイ|收件箱|收件匣|받은편지함|hộp thư đến",
    ),
    (
        Own::Unread,
        "unread|ungelesen|non lus|non lu|no leídos|no leído|não lidas|não lido|não lidos|da leggere|non letti|ongelezen|belum dibaca|непрочитанные|\
         okunmamış|oläst|olästa|ulest|ulæst|lukemattomat|nieprzeczytane|nepřečtené|未読|未读|未讀|읽지않음|읽지 않음|chưa đọc",
    ),
    (
        Own::Starred,
        "starred|markiert|suivis|messages suivis|destacados|com estrela|speciali|met ster|berbintang|помеченные|yıldızlı|stjärnmärkt|stjernemerket|\
         stjernemarkeret|tähdellä merkityt|oznaczone gwiazdką|s hvězdičkou|スター付き|已加星标|已加星號|별표편지함|có gắn dấu sao",
    ),
    (
        Own::State,
        "opened|archived|important|geöffnet|archiviert|wichtig|ouvert|ouverts|archivés|importants|abiertos|abierto|archivados|archivado|importantes|importante|\
         aberto|abertos|arquivado|arquivados|aperti|archiviati|importanti|geopend|gearchiveerd|belangrijk|dibuka|diarsipkan|penting|открытые|архивированные|важные|\
         açıldı|arşivlendi|önemli|öppnat|arkiverat|viktigt|otwarte|zarchiwizowane|ważne|開封済み|アーカイブ済み|重要|已打开|已归档|重要邮件|열림|보관됨|중요편지함",
    ),
];

/// Headings of Gmail's tabs: `Category Updates`.
const CATEGORIES: [&str; 9] = [
    "category ",
    "kategorie: ",
    "catégorie : ",
    "categoría: ",
    "categoria ",
    "categorie: ",
    "kategori ",
    "kategori: ",
    "категория ",
];

/// Reads the field's value, folded or not.
pub(super) fn parse(value: &[u8]) -> Labels {
    let mut labels = Labels::default();
    for label in names(&decode(value)) {
        labels.take(&label);
    }
    labels
}

impl Labels {
    /// Where the message is: `Archive` where no label says so.
    #[must_use]
    pub fn folders(&self) -> Vec<Folder> {
        match self.named.is_empty() {
            true => Folder::new(vec!["Archive".to_owned()])
                .into_iter()
                .collect(),
            false => self.named.clone(),
        }
    }

    fn take(&mut self, label: &str) {
        let lower = label.to_lowercase();
        match own(&lower) {
            Some(Own::Inbox) => self.add(Folder::inbox()),
            Some(Own::Unread) => self.unread = true,
            Some(Own::Starred) => self.starred = true,
            Some(Own::State) => {}
            None => {
                let levels = label.split('/').map(str::trim).filter(|l| !l.is_empty());
                let Some(folder) = Folder::new(levels.map(str::to_owned).collect()) else {
                    return;
                };
                self.draft |= SpecialUse::guess(&folder) == Some(SpecialUse::Drafts);
                self.add(folder);
            }
        }
    }

    fn add(&mut self, folder: Folder) {
        if !self.named.contains(&folder) {
            self.named.push(folder);
        }
    }
}

fn own(lower: &str) -> Option<Own> {
    let named = |names: &str| names.split('|').any(|name| name == lower);
    let found = OWN
        .iter()
        .find(|(_, names)| named(names))
        .map(|(own, _)| *own);
    let category = || CATEGORIES.iter().any(|c| lower.starts_with(c));
    found.or_else(|| category().then_some(Own::State))
}

/// The items of a comma-separated list; quotes hold commas together.
fn names(list: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    for c in list.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            _ => name.push(c),
        }
    }
    names.push(name);
    let trimmed = names.iter().map(|name| name.trim().to_owned());
    trimmed.filter(|name| !name.is_empty()).collect()
}

/// Encoded words (RFC 2047 §2) undone; white space between two of them is none (§6.2). Google writes UTF-8 alone.
fn decode(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&header::collapse(value)).into_owned();
    let (mut bytes, mut after_word) = (Vec::new(), false);
    for part in text.split(' ') {
        let word = encoded_word(part);
        if !(bytes.is_empty() || after_word && word.is_some()) {
            bytes.push(b' ');
        }
        after_word = word.is_some();
        // Words may be cut within a character, so that only the whole is text.
        bytes.extend(word.unwrap_or_else(|| part.as_bytes().to_vec()));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded_word(part: &str) -> Option<Vec<u8>> {
    let mut parts = part.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
    let charset = parts.next()?;
    let known = ["utf-8", "us-ascii"]
        .iter()
        .any(|c| c.eq_ignore_ascii_case(charset));
    let encoding = parts.next().filter(|_| known)?;
    let text = parts.next()?;
    match encoding {
        "B" | "b" => STANDARD.decode(text).ok(),
        "Q" | "q" => q_encoded(text.as_bytes()),
        _ => None,
    }
}

fn q_encoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            _ => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn folders(value: &str) -> Vec<String> {
        let labels = parse(value.as_bytes());
        labels.folders().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn labels_are_folders_but_for_states() {
        assert_eq!(
            folders("Inbox,Opened,Important,\"Bills, paid\",Work/2024,Category Updates"),
            ["INBOX", "Bills, paid", "Work/2024"]
        );
        assert_eq!(folders("Archived,Opened"), ["Archive"]);
        assert_eq!(folders(""), ["Archive"]);
        assert_eq!(folders("Sent,Inbox, Inbox ,/"), ["Sent", "INBOX"]);
    }

    #[test]
    fn encoded_words_in_the_users_language() {
        assert_eq!(
            folders(
                "=?UTF-8?Q?Posteingang,Ge=C3=B6ffnet,Entw?=\r\n =?UTF-8?Q?=C3=BCrfe,Kategorie:_Werbung?="
            ),
            ["INBOX", "Entwürfe"]
        );
        assert_eq!(
            folders("=?utf-8?B?Qm/DrnRlIGRlIHLDqWNlcHRpb24sTm9uIGx1cw==?="),
            ["INBOX"]
        );
        let unread = parse("=?utf-8?B?Qm/DrnRlIGRlIHLDqWNlcHRpb24sTm9uIGx1cw==?=".as_bytes());
        assert!(unread.unread && !unread.starred);
        assert!(parse("Entwürfe".as_bytes()).draft);
        assert_eq!(folders("=?utf-8?X?a?="), ["=?utf-8?X?a?="]);
        assert_eq!(folders("=?utf-8?Q?a=g?="), ["=?utf-8?Q?a=g?="]);
    }

    #[test]
    fn every_name_is_lower_case_and_means_one_thing() {
        let mut seen = HashSet::new();
        for name in OWN.iter().flat_map(|(_, names)| names.split('|')) {
            assert_eq!(name.trim().to_lowercase(), name);
            assert!(seen.insert(name), "{name} stands twice");
        }
    }
}
