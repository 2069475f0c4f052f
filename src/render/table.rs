//! Plain aligned text, widths by character count.

/// A column: its title, to which side its cells go, and the most characters they may have.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub right: bool,
    pub widest: usize,
}

impl Column {
    /// Text: to the left, at most 40 characters.
    #[must_use]
    pub const fn text(title: &'static str) -> Self {
        Column {
            title,
            right: false,
            widest: 40,
        }
    }

    /// Numbers: to the right, never cut.
    #[must_use]
    pub const fn number(title: &'static str) -> Self {
        Column {
            title,
            right: true,
            widest: usize::MAX,
        }
    }

    /// Text that is never cut.
    #[must_use]
    pub const fn whole(title: &'static str) -> Self {
        Column {
            title,
            right: false,
            widest: usize::MAX,
        }
    }
}

/// A title line and a line a row, each indented by two spaces and without spaces at its end. Cells that a row lacks are empty.
#[must_use]
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> Vec<String> {
    let titles = columns.iter().map(|c| c.title.to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(&titles)
        .chain(rows)
        .map(|row| cut_row(columns, row))
        .collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| all.iter().map(|row| width(&row[at])).max().unwrap_or(0))
        .collect();
    all.iter().map(|row| line(columns, &widths, row)).collect()
}

/// As [`table`], in lines of `wide` characters where that can be: the columns that may be cut share what the others leave, but get no
/// narrower than `NARROWEST`.
#[must_use]
pub fn fitted(columns: &[Column], rows: &[Vec<String>], wide: usize) -> Vec<String> {
    let lines = table(columns, rows);
    if lines.iter().all(|line| width(line) <= wide) {
        return lines;
    }
    let widest = |at: usize| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
    let may_be_cut = |column: &Column| column.widest != usize::MAX;
    let fixed = columns.iter().enumerate().filter(|(_, c)| !may_be_cut(c));
    let taken: usize = fixed
        .map(|(at, c)| 2 + widest(at).max(width(c.title)))
        .sum();
    let sharing = columns.iter().filter(|c| may_be_cut(c)).count().max(1);
    let share = (wide.saturating_sub(taken) / sharing).saturating_sub(2);
    let narrow: Vec<Column> = columns
        .iter()
        .map(|column| match may_be_cut(column) {
            true => Column {
                widest: column.widest.min(share.max(NARROWEST)),
                ..*column
            },
            false => *column,
        })
        .collect();
    table(&narrow, rows)
}

/// Less of a name is of no use.
const NARROWEST: usize = 8;

fn cut_row(columns: &[Column], row: &[String]) -> Vec<String> {
    columns
        .iter()
        .enumerate()
        .map(|(at, column)| cut(row.get(at).map_or("", String::as_str), column.widest))
        .collect()
}

/// At most `widest` characters, the last a `…` where it was longer.
#[must_use]
pub fn cut(text: &str, widest: usize) -> String {
    if width(text) <= widest {
        return text.to_owned();
    }
    let kept = text.chars().take(widest.saturating_sub(1));
    kept.chain(std::iter::once('…')).collect()
}

/// A line in lines of at most `wide` characters, broken between words; those after the first are indented. A word that is too long
/// stays whole.
#[must_use]
pub fn wrapped(line: &str, wide: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = line;
    while let Some(at) = break_at(rest, wide, indent * usize::from(!lines.is_empty())) {
        let (now, next) = rest.split_at(at);
        lines.push(indented(now, indent, lines.is_empty()));
        rest = next.trim_start();
    }
    lines.push(indented(rest, indent, lines.is_empty()));
    lines
}

fn indented(text: &str, indent: usize, first: bool) -> String {
    match first {
        true => text.trim_end().to_owned(),
        false => format!("{}{}", " ".repeat(indent), text.trim_end()),
    }
}

/// The byte where a text that is too long is broken: the last space that leaves enough, else the first one behind it.
fn break_at(text: &str, wide: usize, indent: usize) -> Option<usize> {
    let room = wide.saturating_sub(indent);
    if width(text) <= room {
        return None;
    }
    let begun = text.len() - text.trim_start().len();
    let spaces = text
        .char_indices()
        .enumerate()
        .filter(|(_, (at, c))| *c == ' ' && *at > begun);
    let (mut last, mut beyond) = (None, None);
    for (count, (at, _)) in spaces {
        match count <= room {
            true => last = Some(at),
            false => beyond = beyond.or(Some(at)),
        }
    }
    last.or(beyond)
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn line(columns: &[Column], widths: &[usize], row: &[String]) -> String {
    let mut out = String::new();
    for ((column, cell), &wide) in columns.iter().zip(row).zip(widths) {
        out.push_str("  ");
        if column.right {
            out.push_str(&format!("{cell:>wide$}"));
        } else {
            out.push_str(&format!("{cell:<wide$}"));
        }
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_and_cut() {
        let columns = [Column::text("Folder"), Column::number("Messages")];
        let rows = vec![
            vec!["INBOX".to_owned(), "1,000".to_owned()],
            vec!["ü".repeat(50), "2".to_owned()],
            vec!["short".to_owned()],
        ];
        let lines = table(&columns, &rows);
        assert_eq!(lines[0].chars().count(), 2 + 40 + 2 + 8);
        assert!(lines[1].starts_with("  INBOX ") && lines[1].ends_with("   1,000"));
        assert!(lines[2].contains(&format!("{}…", "ü".repeat(39))));
        assert_eq!(lines[3], "  short");
    }

    #[test]
    fn lines_break_between_words_and_go_on_below() {
        let lines = wrapped("  can  read and write and delete", 18, 7);
        assert_eq!(
            lines,
            ["  can  read and", "       write and", "       delete"]
        );
        assert_eq!(wrapped("short", 18, 7), ["short"]);
        let long = wrapped("  x  aaaaaaaaaaaaaaaaaaaaaaaaaaa b", 10, 5);
        assert_eq!(long, ["  x", "     aaaaaaaaaaaaaaaaaaaaaaaaaaa", "     b"]);
    }

    #[test]
    fn what_may_be_cut_gives_way_to_a_narrow_terminal() {
        let columns = [
            Column::text("Folder"),
            Column::text("To"),
            Column::number("Messages"),
        ];
        let row = |name: &str| vec![name.repeat(30), name.repeat(30), "1,000".to_owned()];
        let lines = fitted(&columns, &[row("a"), row("ü")], 50);
        assert!(lines.iter().all(|line| width(line) <= 50), "{lines:?}");
        assert!(lines[1].contains("aaaaaaaaaaaaaaaaa…") && lines[1].ends_with("1,000"));
        assert_eq!(
            fitted(&columns, &[row("a")], 200),
            table(&columns, &[row("a")])
        );
        let narrow = fitted(&columns, &[row("a")], 10);
        assert!(narrow[1].contains("aaaaaaa…"), "{narrow:?}");
    }
}
