//! Where tablespaces go, and whether they can go there.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::domain::backup_info::Tablespace;
use crate::restore::place::Directories;

/// The flag that names a directory.
const FLAG: &str = "--tablespace";

/// All directories of a restore: those that were named, and one below `root` for each other tablespace.
/// Checked before anything is written.
pub(in crate::service) fn directories(
    data: &Path,
    root: &Path,
    named: &[(String, PathBuf)],
    tablespaces: &[Tablespace],
) -> Result<Directories, ConfigError> {
    let mut homes = Directories { data: data.to_owned(), tablespaces: Default::default() };
    for (name, to) in named {
        let wrong = |expected: &str, found: String| Err(ConfigError::late(FLAG, expected, found));
        let Some(oid) = oid_of(name, tablespaces) else {
            return wrong(&known(tablespaces), format!("{name:?}"));
        };
        let to = usable(to)?;
        if homes.tablespaces.contains_key(&oid) {
            return wrong("one directory for each tablespace", format!("two for {name}"));
        }
        if overlap(&to, data) {
            let found = format!("{} beside the data in {}", to.display(), data.display());
            return wrong("a directory neither in the data directory nor around it", found);
        }
        homes.tablespaces.insert(oid, to);
    }
    for Tablespace { oid, .. } in tablespaces {
        homes.tablespaces.entry(*oid).or_insert_with(|| root.join(oid.to_string()));
    }
    keep_apart(&homes)?;
    Ok(homes)
}

fn keep_apart(Directories { tablespaces, .. }: &Directories) -> Result<(), ConfigError> {
    for (oid, to) in tablespaces {
        let mut behind = tablespaces.range(oid.saturating_add(1)..);
        if let Some((_, other)) = behind.find(|(_, other)| overlap(to, other)) {
            let found = format!("{} and {}", to.display(), other.display());
            return Err(ConfigError::late(
                FLAG,
                "directories of which none lies in another",
                found,
            ));
        }
    }
    Ok(())
}

/// By its name, else by its number.
fn oid_of(name: &str, tablespaces: &[Tablespace]) -> Option<u32> {
    let by_name = tablespaces.iter().find(|it| &*it.name == name);
    let number = name.parse().ok();
    let found = by_name.or_else(|| tablespaces.iter().find(|it| Some(it.oid) == number));
    found.map(|it| it.oid)
}

fn known(tablespaces: &[Tablespace]) -> String {
    if tablespaces.is_empty() {
        return "nothing, since the backup has no tablespaces".to_owned();
    }
    let names = tablespaces.iter().map(|it| format!("{} ({})", it.name, it.oid));
    format!("a tablespace of the backup: {}", names.collect::<Vec<_>>().join(", "))
}

/// The directory by its whole path, if it is empty or can be made.
fn usable(to: &Path) -> Result<PathBuf, ConfigError> {
    let expected = "a directory that is empty or does not exist yet, inside one that exists";
    let refused =
        |why: &str| Err(ConfigError::late(FLAG, expected, format!("{}, {why}", to.display())));
    let Some(whole) = std::path::absolute(to).ok().and_then(|it| real(&it)) else {
        return refused("in a directory that is not there");
    };
    match fs::read_dir(&whole).map(|mut entries| entries.next().is_some()) {
        Ok(true) => refused("which holds something"),
        Err(_) if whole.exists() => refused("which is no directory that can be read"),
        Ok(false) | Err(_) => Ok(whole),
    }
}

/// Without links and `..`; the last part need not be there.
fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(whole) = path.canonicalize() {
        return Some(whole);
    }
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether one lies in the other, or is it.
fn overlap(one: &Path, other: &Path) -> bool {
    let other = real(other).unwrap_or_else(|| other.to_owned());
    one.starts_with(&other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(named: &[(&str, &Path)], root: &Path) -> Result<Directories, String> {
        let tablespaces = [("fast", 16384), ("16384", 16400), ("slow", 16500)];
        let tablespaces = tablespaces.map(|(name, oid)| Tablespace { name: name.into(), oid });
        let named: Vec<(String, PathBuf)> =
            named.iter().map(|(name, to)| ((*name).to_owned(), to.to_path_buf())).collect();
        let found = directories(&root.join("data"), &root.join("others"), &named, &tablespaces);
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn named_tablespaces_go_where_they_are_told_and_the_others_below_one_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let (a, b) = (root.join("a"), root.join("b"));
        // A name comes before a number.
        let found = of(&[("fast", &a), ("16384", &b)], &root).unwrap();
        let expected = [(16384, a.clone()), (16400, b), (16500, root.join("others/16500"))];
        assert_eq!(found.tablespaces, expected.into());
        assert_eq!(of(&[("16500", &a)], &root).unwrap().tablespaces[&16500], a);
        assert!(!a.exists(), "nothing is written yet");
    }

    #[test]
    fn a_directory_that_would_do_harm_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("data")).unwrap();
        fs::create_dir_all(root.join("used/inner")).unwrap();
        fs::write(root.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("data"), root.join("link")).unwrap();
        let (a, inner) = (root.join("a"), root.join("used/inner"));
        for (named, words) in [
            (vec![("none", a.clone())], "fast (16384), 16384 (16400), slow (16500)"),
            (vec![("fast", a.clone()), ("fast", root.join("b"))], "two for fast"),
            (vec![("fast", a.clone()), ("slow", a)], "none lies in another"),
            (vec![("fast", inner.clone()), ("slow", inner.join("x"))], "none lies in another"),
            (vec![("fast", root.join("others"))], "none lies in another"),
            (vec![("fast", root.join("data/x"))], "neither in the data directory"),
            (vec![("fast", root.join("link/x"))], "neither in the data directory"),
            (vec![("fast", root.join("a/../data"))], "not there"),
            (vec![("fast", root.join("used"))], "which holds something"),
            (vec![("fast", root.join("file"))], "which is no directory"),
            (vec![("fast", root.join("no/where"))], "in a directory that is not there"),
            (vec![("fast", root.clone())], "which holds something"),
        ] {
            let named: Vec<(&str, &Path)> = named.iter().map(|(it, to)| (*it, &**to)).collect();
            let refused = of(&named, &root).unwrap_err();
            assert!(refused.contains(words), "{words}: {refused}");
        }
        let none = directories(&root, &root, &[("a".to_owned(), root.clone())], &[]).unwrap_err();
        assert!(none.to_string().contains("the backup has no tablespaces"), "{none}");
    }
}
