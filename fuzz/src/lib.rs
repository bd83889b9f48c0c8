//! What reads bytes in the daemon, without what fetches them.

#[path = "../../src/assessment/mod.rs"]
pub mod assessment;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/content/mod.rs"]
pub mod content;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/observation/mod.rs"]
pub mod observation;

/// What reads the question of the page, without the page.
#[path = "../../src/publication"]
pub mod publication {
    pub mod page {
        #[expect(dead_code, reason = "the page has more to ask of it")]
        mod question;

        use std::collections::HashMap;

        use chrono::DateTime;
        use chrono::Utc;

        use crate::domain::recovery_target::Target;

        pub type FormFields = HashMap<String, String>;

        /// What one field of the form asks.
        pub fn asked(field: &str, text: &str, now: DateTime<Utc>) -> Option<Target> {
            let fields = FormFields::from([(field.to_owned(), text.to_owned())]);
            match question::Asked::parse(&fields, now).question {
                question::Question::Asked(target) => Some(target),
                question::Question::None | question::Question::Refused(_) => None,
            }
        }
    }
}

/// What reads bytes in a restore, without what writes files and runs PostgreSQL.
#[path = "../../src/restore"]
pub mod restore {
    #[expect(dead_code, reason = "files are read by the restore alone")]
    pub mod history;
    pub mod log;
    #[expect(dead_code, reason = "files are read by the restore alone")]
    pub mod source_settings;
    pub mod wal_request;
    pub mod wanted;
}

pub mod sources;
#[path = "../../src/wal/mod.rs"]
pub mod wal;
