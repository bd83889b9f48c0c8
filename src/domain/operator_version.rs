//! Versions of CloudNativePG that treat archives in another way than the rest.

use std::fmt;

/// As the tag of the operator's image says it, without what follows a release's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

impl OperatorVersion {
    /// `None` for images of other names, and for those that a digest alone names.
    pub fn of_image(image: &str) -> Option<Self> {
        let (_, last) = image.rsplit_once('/').unwrap_or(("", image));
        let (named, _) = last.split_once('@').unwrap_or((last, ""));
        let (name, tag) = named.split_once(':')?;
        if name == "cloudnative-pg" { Self::parse(tag) } else { None }
    }

    /// As in a tag, or in the annotation `cnpg.io/operatorVersion`; `None` for a build of no release.
    pub fn parse(text: &str) -> Option<Self> {
        let tag = text.strip_prefix('v').unwrap_or(text);
        let digits = tag.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(tag.len());
        let mut parts = tag.get(..digits)?.split('.').map(|part| part.parse().ok());
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }

    /// Whether its recoveries are refused every history file, and so end on the timeline of the base
    /// backup: `validateTimelineHistoryFile` in `internal/cmd/manager/walrestore/cmd.go` asks for a
    /// primary, or for a timeline of the cluster, where there is neither yet. It stands before both the
    /// plugin's way and the in-tree one. Pull request 9650 brought it and 10818 mended it; read at the
    /// tags of all releases from 1.27.2 to 1.30.0.
    pub const fn drops_histories(self) -> bool {
        matches!(
            (self.major, self.minor, self.patch),
            (1, 27, 3 | 4) | (1, 28, 1..=3) | (1, 29, 0 | 1)
        )
    }
}

impl fmt::Display for OperatorVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_the_image_tells_the_version() {
        let of = |image: &str| OperatorVersion::of_image(image).map(|it| it.to_string());
        assert_eq!(of("ghcr.io/cloudnative-pg/cloudnative-pg:1.29.1").as_deref(), Some("1.29.1"));
        let mirrored = "registry.local:5000/cnpg/cloudnative-pg:v1.28.2-ubi9@sha256:00";
        assert_eq!(of(mirrored).as_deref(), Some("1.28.2"));
        for other in [
            "",
            "cloudnative-pg",
            "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.14.0",
            "ghcr.io/cloudnative-pg/cloudnative-pg@sha256:00",
            "ghcr.io/cloudnative-pg/cloudnative-pg:latest",
            "ghcr.io/cloudnative-pg/cloudnative-pg:1.29",
            "ghcr.io/cloudnative-pg/cloudnative-pg:1.29.1.2",
            "ghcr.io/cloudnative-pg/cloudnative-pg:1.29.99999999999",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn some_versions_refuse_every_history_file_in_a_recovery() {
        let drops = |tag: &str| {
            let image = format!("cloudnative-pg:{tag}");
            OperatorVersion::of_image(&image).unwrap().drops_histories()
        };
        for tag in ["1.27.3", "1.27.4", "1.28.1", "1.28.2", "1.28.3", "1.29.0", "1.29.1"] {
            assert!(drops(tag), "{tag}");
        }
        for tag in ["1.26.3", "1.27.2", "1.28.0", "1.28.4", "1.29.2", "1.30.0", "2.27.3"] {
            assert!(!drops(tag), "{tag}");
        }
    }
}
