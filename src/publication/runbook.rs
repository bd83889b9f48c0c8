//! Where the runbooks are.

use crate::assessment::finding::FindingCode;

/// Each finding has one file there, named after its code.
const FOLDER: &str = "https://github.com/monosense/cnpg-backup-verifier/blob/main/docs/runbooks";

pub(crate) fn url(code: FindingCode) -> String {
    format!("{FOLDER}/{}.md", code.as_str())
}
