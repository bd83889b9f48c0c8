//! Lays text out for a terminal: indents, wraps, colours. Knows nothing of backups.

use crate::assessment::finding::Severity;
use crate::assessment::verdict::Verdict;
use crate::publication::report::Colour;
use crate::publication::report::Medium;
use crate::publication::wording::title;

pub(super) struct Paper {
    text: String,
    medium: Medium,
}

impl Paper {
    pub(super) const fn new(medium: Medium) -> Self {
        Self { text: String::new(), medium }
    }

    pub(super) const fn width(&self) -> usize {
        self.medium.width
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn rule(&mut self) {
        self.blank();
        self.line(0, &"-".repeat(self.width()));
        self.blank();
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.line(0, text);
    }

    /// A line that is laid out already.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        let line = format!("{:indent$}{}", "", clean(text));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The verdict and what it is about, in further lines if that is long.
    pub(super) fn verdict(&mut self, verdict: Verdict, about: &str) {
        let label = title(verdict);
        self.coloured(verdict_code(verdict), label);
        let mut lines = Self::new(Medium { colour: Colour::Plain, ..self.medium });
        lines.item(0, &" ".repeat(label.len() + 2), about);
        let text = lines.into_text();
        self.text.push_str(text.get(label.len()..).unwrap_or_default());
    }

    /// A line that begins with the verdict's title.
    pub(super) fn coloured_start(&mut self, verdict: Verdict, line: &str) {
        let title = title(verdict);
        let rest = line.strip_prefix(title).unwrap_or_default();
        self.coloured(verdict_code(verdict), title);
        self.text.push_str(clean(rest).trim_end());
        self.text.push('\n');
    }

    pub(super) fn severity(&mut self, severity: Severity, code: &str) {
        self.text.push_str("  ");
        self.coloured(severity_code(severity), severity.code());
        let padding = "critical".len() - severity.code().len();
        self.text.push_str(&format!("{:padding$}  {code}\n", ""));
    }

    /// Words, in as many lines as they need.
    pub(super) fn paragraph(&mut self, indent: usize, text: &str) {
        self.item(indent, "", text);
    }

    /// The same after a label, and the further lines below the first word.
    pub(super) fn item(&mut self, indent: usize, label: &str, text: &str) {
        let text = clean(text);
        let hanging = indent + label.chars().count();
        let mut line = format!("{:indent$}{label}", "");
        let mut length = hanging;
        let mut is_first_word = true;
        for word in text.split_whitespace() {
            let word_length = word.chars().count();
            if !is_first_word && self.width() < length + 1 + word_length {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line = format!("{:hanging$}", "");
                length = hanging;
                is_first_word = true;
            }
            if !is_first_word {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += word_length;
            is_first_word = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn coloured(&mut self, code: &str, text: &str) {
        match self.medium.colour {
            Colour::Plain => self.text.push_str(text),
            Colour::Ansi => {
                for part in ["\u{1b}[1;", code, "m", text, "\u{1b}[0m"] {
                    self.text.push_str(part);
                }
            }
        }
    }
}

const fn verdict_code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Recoverable => "32",
        Verdict::AtRisk => "33",
        Verdict::Unknown => "35",
        Verdict::Unrecoverable => "31",
    }
}

const fn severity_code(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "31",
        Severity::Warning => "33",
        Severity::Info => "32",
    }
}

/// Takes out what would move the cursor: names and messages come from a bucket.
fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Cuts a name that does not fit into its column. Names differ at their ends more than at their
/// beginnings.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let characters = text.chars().count();
    if characters <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(characters - width.saturating_sub(3)).collect();
    format!("...{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_hang_below_the_first_word() {
        let mut paper = Paper::new(Medium::PLAIN);
        paper.item(2, "do: ", &"word ".repeat(21));
        let expected =
            format!("  do: {}\n      {}\n", ["word"; 19].join(" "), ["word"; 2].join(" "));
        assert_eq!(paper.into_text(), expected);
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let mut paper = Paper::new(Medium::PLAIN);
        paper.paragraph(0, "gone\u{1b}[2J\r\nOK \u{7}");
        assert_eq!(paper.into_text(), "gone [2J OK\n");
    }

    #[test]
    fn a_long_name_is_cut_visibly() {
        assert_eq!(shorten("databases/a-name", 16), "databases/a-name");
        assert_eq!(shorten("databases/a-name-", 16), "...bases/a-name-");
    }
}
