//! What a folder is for, as servers say it and as names in many languages hint at.

use super::Folder;

/// What a folder is for (RFC 6154, and RFC 8457 for `\Important`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

const ATTRIBUTES: [(SpecialUse, &str); 8] = [
    (SpecialUse::All, "\\All"),
    (SpecialUse::Archive, "\\Archive"),
    (SpecialUse::Drafts, "\\Drafts"),
    (SpecialUse::Flagged, "\\Flagged"),
    (SpecialUse::Important, "\\Important"),
    (SpecialUse::Junk, "\\Junk"),
    (SpecialUse::Sent, "\\Sent"),
    (SpecialUse::Trash, "\\Trash"),
];

/// Lower case, one name after another, divided by `|`. No word that could as well be a folder of one's own.
const NAMES: [(SpecialUse, &str); 5] = [
    (
        SpecialUse::Sent,
        "sent|sent items|sent mail|sent messages|sent-mail|sentmail|gesendet|gesendete|gesendete objekte|gesendete elemente|\
         gesendete nachrichten|postausgang gesendet|envoyés|messages envoyés|éléments envoyés|courrier envoyé|envoyes|\
         elements envoyes|enviados|elementos enviados|correo enviado|mensajes enviados|itens enviados|mensagens enviadas|\
         e-mails enviados|enviadas|enviats|posta inviata|inviata|inviati|messaggi inviati|elementi inviati|verzonden|\
         verzonden items|verzonden berichten|terkirim|item terkirim|surat terkirim|pesan terkirim|dihantar|wysłane|elementy wysłane|\
         wyslane|отправленные|исходящие отправленные|надіслані|gönderilmiş öğeler|gönderilmiş postalar|gönderilenler|\
         gönderilmiş|skickat|skickade|skickade objekt|sendt|sendte elementer|sendt post|sendte|lähetetyt|lähetetyt viestit|\
         odeslané|odeslaná pošta|odeslaná|odoslané|elküldött|elküldött elemek|trimise|elemente trimise|απεσταλμένα|\
         送信済み|送信済みアイテム|送信済みメール|已发送|已发送邮件|已傳送|寄件備份|보낸편지함|보낸 편지함|보낸 메일함|đã gửi|thư đã gửi|ส่งแล้ว|المرسلة|פריטים שנשלחו",
    ),
    (
        SpecialUse::Drafts,
        "drafts|draft|draft messages|entwürfe|entwurf|entwuerfe|brouillons|brouillon|borradores|borrador|rascunhos|rascunho|\
         esborranys|bozze|bozza|concepten|konsep|draf|szkice|kopie robocze|wersje robocze|robocze|черновики|чернетки|\
         taslaklar|taslak|utkast|kladder|kladde|luonnokset|koncepty|rozepsané|piszkozatok|ciorne|πρόχειρα|下書き|草稿|草稿箱|\
         草稿匣|임시보관함|임시 보관함|bản nháp|thư nháp|แบบร่าง|المسودات|טיוטות",
    ),
    (
        SpecialUse::Trash,
        "trash|deleted|deleted items|deleted messages|bin|trash can|wastebasket|papierkorb|gelöscht|gelöschte objekte|\
         gelöschte elemente|gelöschte nachrichten|corbeille|éléments supprimés|elements supprimes|messages supprimés|poubelle|\
         papelera|papelera de reciclaje|elementos eliminados|eliminados|mensajes eliminados|lixeira|itens excluídos|\
         itens eliminados|paperera|cestino|posta eliminata|elementi eliminati|prullenbak|prullenmand|verwijderde items|\
         verwijderde berichten|sampah|tempat sampah|item terhapus|terhapus|kosz|elementy usunięte|usunięte|корзина|удаленные|\
         удалённые|кошик|çöp kutusu|çöp|silinmiş öğeler|silinenler|papperskorg|papperskorgen|borttaget|borttagna objekt|\
         papirkurv|slettet post|slettede elementer|søppelbøtte|roskakori|poistetut|poistetut viestit|koš|odstraněná pošta|\
         odstraněné|kôš|kuka|lomtár|törölt elemek|coș de gunoi|elemente șterse|κάδος απορριμμάτων|ゴミ箱|削除済みアイテム|\
         已删除|已删除邮件|垃圾箱|废纸篓|刪除的郵件|垃圾桶|휴지통|지운 편지함|thùng rác|ถังขยะ|المهملات|אשפה",
    ),
    (
        SpecialUse::Junk,
        "junk|spam|junk e-mail|junk email|junk mail|bulk mail|bulk|spamverdacht|spam-verdacht|junk-e-mail|unerwünscht|\
         courrier indésirable|courriers indésirables|indésirables|pourriel|correo no deseado|correo basura|no deseado|\
         lixo eletrônico|lixo electrónico|lixo eletrónico|posta indesiderata|indesiderata|ongewenste e-mail|ongewenst|\
         email sampah|wiadomości-śmieci|wiadomości śmieci|niechciane|спам|нежелательная почта|gereksiz|gereksiz e-posta|\
         istenmeyen|istenmeyen e-posta|skräppost|uønsket|uønsket e-post|uønsket e-mail|søppelpost|roskaposti|nevyžádaná pošta|\
         nevyžádaná|nevyžiadaná pošta|levélszemét|ανεπιθύμητα|迷惑メール|垃圾邮件|垃圾郵件|스팸|스팸편지함|스팸 메일함|정크 메일|thư rác|จดหมายขยะ",
    ),
    (
        SpecialUse::Archive,
        "archive|archives|archiv|archivio|archivo|arquivo|archief|arsip|archiwum|архив|архів|arşiv|arkiv|arkisto|archív|\
         archívum|arhivă|アーカイブ|归档|封存|存档|보관함|보관 메일함|lưu trữ",
    ),
];

impl SpecialUse {
    /// From a LIST attribute such as `\Sent` (ASCII case ignored).
    #[must_use]
    pub fn from_attribute(attribute: &str) -> Option<Self> {
        let mut known = ATTRIBUTES.iter();
        let found = known.find(|(_, name)| name.eq_ignore_ascii_case(attribute));
        found.map(|(special_use, _)| *special_use)
    }

    /// The LIST attribute, with its backslash.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::All => "\\All",
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Flagged => "\\Flagged",
            SpecialUse::Important => "\\Important",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// Guesses from a folder's own (last) name in the languages providers use: `Sent`, `Gesendet`, `Terkirim`, `Éléments envoyés` …
    /// Only at the top, or directly below INBOX or Gmail's own folder. Used only where the server names no special use.
    #[must_use]
    pub fn guess(folder: &Folder) -> Option<Self> {
        let own = match folder.names() {
            [own] => own,
            [parent, own] if holds_special(parent) => own,
            _ => return None,
        };
        let own = own.trim().to_lowercase();
        let known = |names: &str| names.split('|').any(|name| name == own);
        let found = NAMES.iter().find(|(_, names)| known(names));
        found.map(|(special_use, _)| *special_use)
    }
}

fn holds_special(parent: &str) -> bool {
    ["INBOX", "[Gmail]", "[Google Mail]"]
        .iter()
        .any(|p| p.eq_ignore_ascii_case(parent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn attributes_both_ways() {
        for (special_use, name) in ATTRIBUTES {
            assert_eq!(special_use.attribute(), name);
            assert_eq!(
                SpecialUse::from_attribute(&name.to_uppercase()),
                Some(special_use)
            );
        }
        assert_eq!(SpecialUse::from_attribute("\\Noselect"), None);
    }

    #[test]
    fn guesses_in_many_languages() {
        let guess = |text: &str| Folder::parse(text).and_then(|f| SpecialUse::guess(&f));
        assert_eq!(guess("SENT"), Some(SpecialUse::Sent));
        assert_eq!(guess("INBOX/Éléments envoyés"), Some(SpecialUse::Sent));
        assert_eq!(guess("Terkirim"), Some(SpecialUse::Sent));
        assert_eq!(guess("Entwürfe"), Some(SpecialUse::Drafts));
        assert_eq!(guess("ÇÖP"), Some(SpecialUse::Trash));
        assert_eq!(guess("Корзина"), Some(SpecialUse::Trash));
        assert_eq!(guess("迷惑メール"), Some(SpecialUse::Junk));
        assert_eq!(guess("[Gmail]/Sent Mail"), Some(SpecialUse::Sent));
        assert_eq!(guess("Projects/Sent"), None);
        assert_eq!(guess("INBOX/a/Sent"), None);
        assert_eq!(guess("Sent to Anna"), None);
        assert_eq!(guess("INBOX"), None);
    }

    #[test]
    fn every_name_is_lower_case_and_means_one_thing() {
        let mut seen = HashSet::new();
        for name in NAMES.iter().flat_map(|(_, names)| names.split('|')) {
            assert_eq!(name.trim().to_lowercase(), name);
            assert!(seen.insert(name), "{name} stands twice");
        }
    }
}
