//! The lines of `explain`.

use crate::error::Code;
use crate::identity::{Explanation, Side};
use crate::render::explain::verdict;
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum ExplainLine {
    Explain {
        first: Box<SideJson>,
        second: Box<SideJson>,
        rules: Vec<RuleJson>,
        fields: Vec<FieldJson>,
        first_byte: Option<FirstByteJson>,
    },
    ExplainCode {
        code: &'static str,
        meaning: &'static str,
        r#try: &'static str,
    },
}

#[derive(Serialize)]
pub(super) struct SideJson {
    size: u64,
    digest: String,
    loose: String,
    message_id: Option<String>,
    date: Option<i64>,
    from: String,
    subject: String,
}

#[derive(Serialize)]
pub(super) struct RuleJson {
    dedup: &'static str,
    by_headers: bool,
    verdict: &'static str,
    reason: String,
}

#[derive(Serialize)]
pub(super) struct FieldJson {
    of: &'static str,
    name: String,
    value: String,
}

#[derive(Serialize)]
pub(super) struct FirstByteJson {
    offset: usize,
    line: usize,
    column: usize,
    first: Option<u8>,
    second: Option<u8>,
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl SideJson {
    fn new(side: &Side) -> Self {
        SideJson {
            size: side.size,
            digest: side.digests.exact.to_string(),
            loose: side.digests.loose.to_string(),
            message_id: side.header.message_id.as_deref().map(lossy),
            date: side.header.date,
            from: lossy(&side.header.from),
            subject: lossy(&side.header.subject),
        }
    }
}

impl ExplainLine {
    pub(super) fn of_messages(explanation: &Explanation) -> Self {
        let rules = explanation.rulings.iter().map(|ruling| RuleJson {
            dedup: ruling.rule,
            by_headers: ruling.by_headers,
            verdict: verdict(ruling.verdict),
            reason: ruling.reason.clone(),
        });
        let fields = explanation.fields.iter().map(|field| FieldJson {
            of: if field.first { "first" } else { "second" },
            name: lossy(&field.name),
            value: lossy(&field.value),
        });
        ExplainLine::Explain {
            first: Box::new(SideJson::new(&explanation.first)),
            second: Box::new(SideJson::new(&explanation.second)),
            rules: rules.collect(),
            fields: fields.collect(),
            first_byte: explanation.first_byte.map(|first| FirstByteJson {
                offset: first.offset,
                line: first.line,
                column: first.column,
                first: first.bytes.0,
                second: first.bytes.1,
            }),
        }
    }

    pub(super) fn of_code(code: Code) -> Self {
        ExplainLine::ExplainCode {
            code: code.as_str(),
            meaning: code.meaning(),
            r#try: code.remedy(),
        }
    }
}
