//! The table of an end that is files: `protocol = "maildir" | "mbox" | "archive"`.

use super::error::Faults;
use super::section::Section;
use super::server::{self, Context, no_column};
use super::spec::{Layout, MailFormat};
use super::store::{Local, LocalFormat, Store};
use crate::error::End;
use crate::format::mbox::Dialect;

/// What `protocol` says.
#[derive(Clone, Copy)]
pub(super) enum Word {
    Server(super::spec::Protocol),
    Local(LocalFormat),
}

/// Keys that only a server has.
const SERVER_KEYS: &[&str] = &[
    "preset",
    "host",
    "port",
    "security",
    "ca-file",
    "pin-sha256",
    "user",
    "password",
    "connections",
    "timeout",
    "seen",
    "shared",
    "after",
    "order",
];

/// Keys that only files have.
const LOCAL_KEYS: &[&str] = &["path", "layout", "format", "dialect"];

/// The end's mail, whichever it is. `None` after telling what is wrong.
pub(super) fn store(
    section: &Section<'_>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Store> {
    match server::protocol(section, context.end, faults) {
        Some(Word::Local(format)) => local(section, format, context, faults).map(Store::Local),
        other => {
            let protocol = match other {
                Some(Word::Server(protocol)) => Some(protocol),
                _ => None,
            };
            if let Some(protocol) = protocol {
                let words = format!(
                    "is for files (maildir, mbox, eml, archive): {} mail is on a server",
                    protocol.as_str()
                );
                refuse(section, LOCAL_KEYS, &words, faults);
            }
            server::server(section, protocol, context, faults)
                .map(|server| Store::Server(Box::new(server)))
        }
    }
}

fn local(
    section: &Section<'_>,
    format: LocalFormat,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Local> {
    if format == LocalFormat::Eml && context.end == End::Destination {
        let node = section.get("protocol")?;
        let message = r#"expected "imap", "maildir", "mbox" or "archive", found "eml": such files are only read"#;
        faults.add(&node.place, &section.key("protocol"), message);
        return None;
    }
    let words = format!("is for servers: {} mail is files", format.as_str());
    refuse(section, SERVER_KEYS, &words, faults);
    let layout = layout(section, faults);
    let mail = mail(section, format, faults);
    let dialect = dialect(section, format, faults);
    let what = "the path of a file or directory";
    if section.get("path").is_none() {
        let hint = format!("path = \"old.{}\"", format.as_str());
        section.missing("path", what, &hint, faults);
        return None;
    }
    let text = section.text("path", what, faults)?;
    let whole = no_column(section, "path", text, context, faults);
    whole.then(|| Local {
        format,
        path: super::plain_path(&context.dir.join(text)),
        layout,
        mail,
        dialect,
    })
}

/// `layout`, of an end or of `[archive]`.
pub(super) fn layout(section: &Section<'_>, faults: &mut Faults) -> Option<Layout> {
    let words = [
        ("maildir++", Some(Layout::MaildirPlusPlus)),
        ("fs", Some(Layout::Fs)),
    ];
    section.get("layout")?;
    section.choice("layout", &words, faults)
}

/// `dialect`, of a source that is mbox files.
fn dialect(section: &Section<'_>, format: LocalFormat, faults: &mut Faults) -> Option<Dialect> {
    if format != LocalFormat::Mbox {
        let words = "is for mbox files: it says how their lines were quoted";
        refuse(section, &["dialect"], words, faults);
        return None;
    }
    let known = [
        Dialect::Mboxo,
        Dialect::Mboxrd,
        Dialect::Mboxcl,
        Dialect::Mboxcl2,
    ];
    let named = known.map(|dialect| (dialect.as_str(), Some(Some(dialect))));
    let words = [&[("auto", Some(None))][..], &named].concat();
    section.get("dialect")?;
    section.choice("dialect", &words, faults).flatten()
}

/// `format`, of a destination that is an archive.
fn mail(section: &Section<'_>, format: LocalFormat, faults: &mut Faults) -> MailFormat {
    if format != LocalFormat::Archive {
        refuse(
            section,
            &["format"],
            "is for archives: what these files are is said by protocol",
            faults,
        );
        return MailFormat::default();
    }
    mail_format(section, faults)
}

/// `format`, of an archive.
pub(super) fn mail_format(section: &Section<'_>, faults: &mut Faults) -> MailFormat {
    let words = [
        ("maildir", Some(MailFormat::Maildir)),
        ("mbox", Some(MailFormat::Mbox)),
    ];
    match section.get("format") {
        None => MailFormat::default(),
        Some(_) => section.choice("format", &words, faults).unwrap_or_default(),
    }
}

fn refuse(section: &Section<'_>, keys: &[&str], words: &str, faults: &mut Faults) {
    for key in keys {
        if let Some(node) = section.get(key) {
            faults.add(&node.place, &section.key(key), words);
        }
    }
}
