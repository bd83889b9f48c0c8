//! Folds what is wider than a terminal, so that values stay in their column.

/// Breaks lines between words. The rest of a line begins below its value: behind the last two blanks of
/// its label, or else where the line begins.
pub fn folded(text: &str, width: usize) -> String {
    let mut folded = String::with_capacity(text.len());
    for line in text.lines() {
        fold(line, width, &mut folded);
    }
    folded
}

fn fold(line: &str, width: usize, folded: &mut String) {
    let hanging = value_column(line);
    let mut length = 0;
    let mut is_first = true;
    // Blanks between words are kept, since they are what columns are made of.
    for word in line.split_inclusive(' ') {
        let shown = word.trim_end_matches(' ').chars().count();
        if !is_first && 0 < shown && width < length + shown {
            folded.truncate(folded.trim_end_matches(' ').len());
            folded.push('\n');
            folded.push_str(&" ".repeat(hanging));
            length = hanging;
            is_first = true;
        }
        folded.push_str(word);
        length += word.chars().count();
        is_first = is_first && length <= hanging;
    }
    folded.truncate(folded.trim_end_matches(' ').len());
    folded.push('\n');
}

fn value_column(line: &str) -> usize {
    let indent = line.chars().take_while(|it| *it == ' ').count();
    let words = line.trim_start();
    let Some(label) = words.find("  ") else { return indent };
    let (label, rest) = words.split_at(label);
    let blanks = rest.chars().take_while(|it| *it == ' ').count();
    indent + label.chars().count() + blanks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_goes_on_in_its_column() {
        let text =
            "main: it FAILED\n  because of this and of that\n\n  check      passed: one, two\n";
        let expected = "main: it FAILED\n  because of this and\n  of that\n\n  check      passed:\n             \
                        one, two\n";
        assert_eq!(folded(text, 21), expected);
        assert_eq!(folded(text, usize::MAX), text);
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        assert_eq!(folded("  backup     20261130T103840\n", 20), "  backup     20261130T103840\n");
        assert_eq!(folded("a s3://bucket/folder b", 6), "a\ns3://bucket/folder\nb\n");
        assert_eq!(folded("", 6), "");
    }
}
