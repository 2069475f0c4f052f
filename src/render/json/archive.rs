//! Lines of `archive`, described in `docs/json.md`.

use crate::archive::{Checked, Exported, Finding, Listed, Rebuilt, Total};
use crate::message::Readable;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

#[derive(Serialize)]
#[serde(tag = "type")]
enum Line<'a> {
    #[serde(rename = "archive-folder")]
    Folder {
        folder: String,
        messages: u64,
        bytes: u64,
    },
    #[serde(rename = "archive-message")]
    Message {
        folder: String,
        number: u32,
        date: Option<i64>,
        from: &'a str,
        subject: &'a str,
        message_id: Option<&'a str>,
        flags: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
        bytes: u64,
        missing: bool,
    },
    #[serde(rename = "archive-text")]
    Text {
        headers: Vec<[&'a str; 2]>,
        text: &'a str,
        from_html: bool,
        attachments: Vec<Attachment<'a>>,
    },
    #[serde(rename = "archive-finding")]
    Finding {
        wrong: &'a str,
        folder: Option<String>,
        path: &'a str,
        number: Option<u32>,
        words: Option<&'a str>,
    },
    #[serde(rename = "archive-checked")]
    Checked {
        folders: u64,
        messages: u64,
        bytes: u64,
        findings: usize,
        seconds: f64,
    },
    #[serde(rename = "archive-rebuilt")]
    Rebuilt {
        folders: u64,
        messages: u64,
        left_out: Vec<LeftOut<'a>>,
        without_source: u64,
        lines_made: u64,
        old: Option<String>,
    },
    #[serde(rename = "archive-exported")]
    Exported {
        to: String,
        messages: u64,
        bytes: u64,
        failed: Vec<LeftOut<'a>>,
    },
}

#[derive(Serialize)]
struct Attachment<'a> {
    name: &'a str,
    media_type: &'a str,
    bytes: u64,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    path: &'a str,
    why: &'a str,
}

fn left_out(all: &[(String, String)]) -> Vec<LeftOut<'_>> {
    all.iter()
        .map(|(path, why)| LeftOut { path, why })
        .collect()
}

fn line(value: &Line<'_>) -> String {
    super::escape(&super::to_json(value))
}

#[must_use]
pub fn total(total: &Total) -> String {
    line(&Line::Folder {
        folder: total.folder.to_string(),
        messages: total.messages,
        bytes: total.bytes,
    })
}

#[must_use]
pub fn listed(message: &Listed) -> String {
    line(&Line::Message {
        folder: message.folder.to_string(),
        number: message.number,
        date: message.date.map(|date| date.epoch),
        from: &message.from,
        subject: &message.subject,
        message_id: message.message_id.as_deref(),
        flags: message.flags.atoms(),
        labels: message.flags.labels.iter().cloned().collect(),
        bytes: message.bytes,
        missing: message.missing,
    })
}

/// `with_text`: else the headers alone.
#[must_use]
pub fn readable(message: &Readable, with_text: bool) -> String {
    let attachments = message.attachments.iter().map(|one| Attachment {
        name: &one.name,
        media_type: &one.media_type,
        bytes: one.size,
    });
    line(&Line::Text {
        headers: message
            .headers
            .iter()
            .map(|(n, v)| [n.as_str(), v.as_str()])
            .collect(),
        text: if with_text { &message.text } else { "" },
        from_html: message.from_html,
        attachments: attachments.collect(),
    })
}

/// A line for each finding, then the sum.
#[must_use]
pub fn checked(checked: &Checked, elapsed: Duration) -> Vec<String> {
    let mut lines: Vec<String> = checked.findings.iter().map(finding).collect();
    lines.push(line(&Line::Checked {
        folders: checked.folders,
        messages: checked.messages,
        bytes: checked.bytes,
        findings: checked.findings.len(),
        seconds: elapsed.as_secs_f64(),
    }));
    lines
}

fn finding(finding: &Finding) -> String {
    line(&Line::Finding {
        wrong: finding.wrong.as_str(),
        folder: finding.folder.as_ref().map(ToString::to_string),
        path: &finding.path,
        number: finding.number,
        words: finding.words.as_deref(),
    })
}

#[must_use]
pub fn rebuilt(rebuilt: &Rebuilt) -> String {
    line(&Line::Rebuilt {
        folders: rebuilt.folders,
        messages: rebuilt.messages,
        left_out: left_out(&rebuilt.left_out),
        without_source: rebuilt.without_source,
        lines_made: rebuilt.refilled.iter().map(|one| one.messages).sum(),
        old: rebuilt.old.as_deref().map(shown),
    })
}

#[must_use]
pub fn exported(exported: &Exported, to: &Path) -> String {
    line(&Line::Exported {
        to: shown(to),
        messages: exported.messages(),
        bytes: exported.bytes,
        failed: left_out(&exported.failed),
    })
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
