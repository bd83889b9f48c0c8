//! What a restored database is asked after a drill, and which answer is right.

use chrono::TimeDelta;

use crate::domain::cluster::ClusterId;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::name;

/// A question to a restored database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillCheck {
    pub name: String,
    /// `None` asks every cluster.
    pub cluster: Option<ClusterId>,
    pub database: String,
    /// One `SELECT` or `WITH` that has one row with one column.
    pub query: String,
    pub answer: RightAnswer,
}

/// Which answer is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightAnswer {
    /// This one, as `psql --tuples-only --no-align` prints it.
    Text(String),
    /// A time that lies at most this long before the moment that was restored.
    Age(TimeDelta),
}

impl DrillCheck {
    pub fn asks(&self, namespace: &str, cluster: &str) -> bool {
        self.cluster.as_ref().is_none_or(|it| it.namespace == namespace && it.name == cluster)
    }
}

/// It becomes a part of sentences and of JSON.
pub const CHECK_NAME: Format<String> = Format {
    expected: "a name of at most 63 letters, digits, dots, dashes and underscores",
    parse: |text| name(text, 63, |c| c.is_ascii_alphanumeric() || "._-".contains(c)),
};

pub const CLUSTER: Format<ClusterId> = Format {
    expected: "a namespace and a cluster, such as databases/main",
    parse: |text| {
        let part = |text| name(text, 253, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let (namespace, cluster) = text.split_once('/').ok_or(Flaw::Mismatch)?;
        Ok(ClusterId { namespace: part(namespace)?, name: part(cluster)? })
    },
};

/// PostgreSQL cuts longer names (`NAMEDATALEN`).
pub const DATABASE: Format<String> = Format {
    expected: "the name of a database, of at most 63 bytes",
    parse: |text| name(text, 63, |c| !c.is_control()),
};

/// More belongs into a view.
const QUERY_BYTES_MAX: usize = 4_000;

/// A first look only: what runs it does so in a transaction that may not write. Text with a semicolon
/// in it is refused too, since telling it from a second statement takes PostgreSQL's own grammar.
pub const QUERY: Format<String> = Format {
    expected: "one statement of at most 4000 bytes that begins with SELECT or WITH, with no \
               semicolon in it",
    parse: |text| {
        let query = text.trim();
        let query = query.strip_suffix(';').unwrap_or(query).trim_end();
        let word = query.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_reading = ["select", "with"].iter().any(|it| word.eq_ignore_ascii_case(it));
        let is_plain = |c: char| c != ';' && (!c.is_control() || "\n\r\t".contains(c));
        let is_right = is_reading && query.len() <= QUERY_BYTES_MAX && query.chars().all(is_plain);
        is_right.then(|| query.to_owned()).ok_or(Flaw::Mismatch)
    },
};

/// One line, since an answer is one value.
pub const ANSWER: Format<String> = Format {
    expected: "a text of at most 1000 bytes without line breaks",
    parse: |text| {
        let is_right = text.len() <= 1_000 && !text.chars().any(char::is_control);
        is_right.then(|| text.to_owned()).ok_or(Flaw::Mismatch)
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_statement_that_reads() {
        let reads = |text: &str| (QUERY.parse)(text).ok();
        assert_eq!(reads(" SELECT 1 ;\n").as_deref(), Some("SELECT 1"));
        assert_eq!(reads("select(1)").as_deref(), Some("select(1)"));
        assert!(reads("With a AS (SELECT 1)\n\tSELECT * FROM a").is_some());
        let long = format!("SELECT {}", "1".repeat(QUERY_BYTES_MAX));
        for wrong in [
            "",
            ";",
            "DELETE FROM a",
            "SELECT 1; DROP TABLE a",
            "SELECT 1;;",
            "selected",
            "\0",
            &long,
        ] {
            assert_eq!(reads(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_check_asks_all_clusters_or_the_one_it_names() {
        let reads = |text: &str| (CLUSTER.parse)(text).ok();
        let check = |cluster| DrillCheck {
            name: "rows".to_owned(),
            cluster,
            database: "app".to_owned(),
            query: "SELECT 1".to_owned(),
            answer: RightAnswer::Text("1".to_owned()),
        };
        let named = check(reads("databases/main"));
        assert!(named.asks("databases", "main") && !named.asks("databases", "other"));
        assert!(!named.asks("others", "main") && check(None).asks("others", "main"));
        for wrong in ["main", "a/b/c", "/main", "databases/", "a b/c"] {
            assert_eq!(reads(wrong), None, "{wrong:?}");
        }
    }
}
