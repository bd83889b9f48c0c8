//! Walks a document key by key: every problem is noted, none stops the walk.

use crate::config::document::Node;
use crate::config::environment::Override;
use crate::config::environment::Overrides;
use crate::config::problem::ConfigError;
use crate::config::problem::ConfigProblem;
use crate::domain::format::Flaw;
use crate::domain::format::Format;

pub(super) struct SettingReader {
    overrides: Overrides,
    problems: Vec<ConfigProblem>,
}

impl SettingReader {
    pub(super) fn new(overrides: Overrides) -> Self {
        Self { overrides, problems: Vec::new() }
    }

    pub(super) fn note(&mut self, problem: ConfigProblem) {
        self.problems.push(problem);
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(super) fn read<T>(
        &mut self,
        document: &Node,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        self.section(String::new(), document, read)
    }

    /// The checked value of a flag, where it was given.
    pub(super) fn flag<T>(
        &mut self,
        origin: &str,
        text: Option<&str>,
        format: &Format<T>,
    ) -> Option<T> {
        self.parse(origin, text?, format)
    }

    /// The result, if nothing was wrong.
    pub(super) fn finish<T>(mut self, result: Option<T>) -> Result<T, ConfigError> {
        self.problems.extend(self.overrides.unknown());
        result.filter(|_| self.problems.is_empty()).ok_or(ConfigError(self.problems))
    }

    fn parse<T>(&mut self, origin: &str, text: &str, format: &Format<T>) -> Option<T> {
        let found = match (format.parse)(text) {
            Ok(value) => return Some(value),
            Err(Flaw::Mismatch) => format!("{text:?}"),
            Err(Flaw::Because(found)) => found,
        };
        self.note(ConfigProblem::new(origin, format.expected, found));
        None
    }

    fn section<T>(
        &mut self,
        path: String,
        node: &Node,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let (entries, is_mapping) = match node {
            Node::Mapping(entries) => (entries.as_slice(), true),
            Node::Null => ([].as_slice(), true),
            Node::Boolean(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                let key = if path.is_empty() { "the configuration" } else { &path };
                self.note(ConfigProblem::new(key, "a mapping", node.kind()));
                ([].as_slice(), false)
            }
        };
        let mut section = Section { reader: self, path, entries, is_mapping, known: Vec::new() };
        let result = read(&mut section);
        section.note_strangers();
        result
    }
}

/// One mapping of the document. A key with nothing behind it counts as absent.
pub(super) struct Section<'a> {
    reader: &'a mut SettingReader,
    /// Empty for the whole document.
    path: String,
    entries: &'a [(String, Node)],
    /// Where something else stands here, which is a problem of its own, nothing is missed.
    is_mapping: bool,
    known: Vec<&'static str>,
}

impl Section<'_> {
    pub(super) fn text<T>(&mut self, key: &'static str, format: &Format<T>) -> Option<T> {
        let path = self.know(key);
        match (self.reader.overrides.take(&path), self.node(key)) {
            (Some(Override { origin, text }), _) => self.reader.parse(&origin, &text, format),
            (None, Node::Null) => None,
            (None, Node::Text(text)) => self.reader.parse(&path, text, format),
            (None, other) => self.note(key, format.expected, other.kind()),
        }
    }

    pub(super) fn required<T>(&mut self, key: &'static str, format: &Format<T>) -> Option<T> {
        if !self.has(key) {
            self.note_missing(key, format.expected);
        }
        self.text(key, format)
    }

    pub(super) fn note_missing(&mut self, key: &str, expected: &str) {
        if self.is_mapping {
            self.note::<()>(key, expected, "nothing");
        }
    }

    /// As [`Section::text`], for a setting where `true` and `false` are words like others.
    pub(super) fn word<T>(&mut self, key: &'static str, format: &Format<T>) -> Option<T> {
        match *self.node(key) {
            Node::Boolean(is_true) => self.bare(key, is_true.to_string(), format),
            _ => self.text(key, format),
        }
    }

    /// As [`Section::text`], for a setting that counts something and so needs no quotes.
    pub(super) fn count<T>(&mut self, key: &'static str, format: &Format<T>) -> Option<T> {
        match *self.node(key) {
            Node::Number(Some(number)) => self.bare(key, number.to_string(), format),
            _ => self.text(key, format),
        }
    }

    /// What stands in the document without quotes and is no text to YAML.
    fn bare<T>(&mut self, key: &'static str, text: String, format: &Format<T>) -> Option<T> {
        let path = self.know(key);
        let overridden = self.reader.overrides.take(&path);
        let Override { origin, text } = overridden.unwrap_or(Override { origin: path, text });
        self.reader.parse(&origin, &text, format)
    }

    /// A list of texts; in an override they are separated by commas.
    pub(super) fn texts<T>(&mut self, key: &'static str, format: &Format<T>) -> Vec<T> {
        let path = self.know(key);
        if let Some(Override { origin, text }) = self.reader.overrides.take(&path) {
            let words = text.split(',').map(str::trim);
            return words.filter_map(|it| self.reader.parse(&origin, it, format)).collect();
        }
        let texts = self.elements(key).iter().enumerate().filter_map(|(index, node)| {
            let path = format!("{path}[{index}]");
            if let Node::Text(text) = node {
                return self.reader.parse(&path, text, format);
            }
            self.reader.note(ConfigProblem::new(path, format.expected, node.kind()));
            None
        });
        texts.collect()
    }

    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let path = self.know(key);
        self.reader.section(path, self.node(key), read)
    }

    /// A list of mappings.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> T,
    ) -> Vec<T> {
        let path = self.know(key);
        let elements = self.elements(key).iter().enumerate();
        elements
            .map(|(index, node)| self.reader.section(format!("{path}[{index}]"), node, &mut read))
            .collect()
    }

    /// Notes what is wrong with `key`; the answer is `None`, to return it at once.
    pub(super) fn note<T>(
        &mut self,
        key: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Option<T> {
        self.reader.note(ConfigProblem::new(self.path_of(key), expected, found));
        None
    }

    /// Where this section stands in the document.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether `key` is given; to be asked before it is read.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key) != &Node::Null || self.reader.overrides.has(&self.path_of(key))
    }
}

impl<'a> Section<'a> {
    fn node(&self, key: &str) -> &'a Node {
        self.entries.iter().find(|(name, _)| name == key).map_or(&Node::Null, |(_, node)| node)
    }

    fn elements(&mut self, key: &str) -> &'a [Node] {
        match self.node(key) {
            Node::List(nodes) => nodes,
            Node::Null => &[],
            other => {
                self.note::<()>(key, "a list", other.kind());
                &[]
            }
        }
    }

    fn know(&mut self, key: &'static str) -> String {
        self.known.push(key);
        self.path_of(key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes keys that stand here twice, and keys that nobody asked for.
    fn note_strangers(mut self) {
        let entries = self.entries;
        for (index, (key, _)) in entries.iter().enumerate() {
            if entries.iter().take(index).any(|(earlier, _)| earlier == key) {
                self.note::<()>(key, "this key once", "it again");
            } else if !self.known.contains(&key.as_str()) {
                let expected = format!("one of {}", self.known.join(", "));
                self.note::<()>(key, expected, "an unknown key");
            }
        }
    }
}
