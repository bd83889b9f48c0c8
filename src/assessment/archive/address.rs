//! Whether the address is that of an archive at all.

use crate::assessment::Subject;
use crate::assessment::finding::archive::address::Place;
use crate::assessment::finding::archive::address::WrongAddress;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::observation::surroundings::Surroundings;

/// What lies where nothing of an archive was found, if that speaks for a wrong address.
///
/// Somebody who types an address is told what lies beside it; an archive that is watched under its
/// own name and is empty has been lost, or never was.
pub(super) fn wrong_address(subject: &Subject, around: &Surroundings) -> Option<WrongAddress> {
    let address = subject.address.as_ref()?;
    let is_typed = subject.archive.cluster.is_empty();
    let (place, names) = if !around.inside.is_empty() {
        (Place::Inside, &around.inside)
    } else if is_typed && !around.beside.is_empty() {
        (Place::Beside, &around.beside)
    } else {
        return None;
    };
    Some(WrongAddress {
        address: address.to_string(),
        place,
        names: names.first.clone(),
        has_more: names.has_more,
        meant: archives_near(address, around),
    })
}

/// The addresses of the archives that were found near. A folder inside one has it above.
pub(super) fn archives_near(address: &ArchiveAddress, around: &Surroundings) -> Vec<String> {
    let folder = address.folder();
    let above = ["base/", "wals/"].into_iter().filter_map(|part| {
        let (archive, rest) = folder.as_str().rsplit_once(part)?;
        // The part one level higher was looked at; what is said of one further up is a guess.
        (!rest.is_empty() && (archive.is_empty() || archive.ends_with('/'))).then_some(archive)
    });
    let found = around.archives.iter().map(String::as_str);
    let mut archives: Vec<String> =
        found.chain(above).map(|archive| placed(&address.store, archive)).collect();
    archives.dedup();
    archives
}

fn placed(store: &StoreAddress, folder: &str) -> String {
    let folder = folder.trim_end_matches('/');
    match store {
        StoreAddress::S3 { bucket, .. } => format!("s3://{bucket}/{folder}"),
        StoreAddress::Directory(root) => {
            let path = format!("{}/{folder}", root.trim_end_matches('/'));
            format!("file://{}", path.trim_end_matches('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::archive_id::ArchiveId;
    use crate::observation::surroundings::Names;

    use super::*;

    fn subject(cluster: &str, prefix: &str, server_name: &str) -> Subject {
        let address = ArchiveAddress {
            store: StoreAddress::Directory("/copy".to_owned()),
            prefix: prefix.to_owned(),
            server_name: server_name.to_owned(),
        };
        let archive = ArchiveId {
            namespace: cluster.to_owned(),
            cluster: cluster.to_owned(),
            server_name: server_name.to_owned(),
        };
        Subject { archive, address: Some(address) }
    }

    fn names(names: &[&str]) -> Names {
        Names { first: names.iter().map(|&name| name.to_owned()).collect(), has_more: false }
    }

    #[test]
    fn what_lies_beside_an_empty_archive_excuses_only_a_typed_address() {
        let around = Surroundings { beside: names(&["pg/"]), ..Surroundings::default() };
        assert!(wrong_address(&subject("", "", "pq"), &around).is_some());
        assert_eq!(wrong_address(&subject("postgres", "", "pq"), &around), None);
        let around = Surroundings { inside: names(&["data/"]), ..around };
        let wrong = wrong_address(&subject("postgres", "", "pq"), &around).unwrap();
        assert_eq!((wrong.place, wrong.names), (Place::Inside, vec!["data/".to_owned()]));
        assert_eq!(wrong_address(&subject("", "", "pq"), &Surroundings::default()), None);
    }

    #[test]
    fn the_archive_around_a_folder_is_found_by_its_name() {
        let near = |prefix, name| {
            let subject = subject("", prefix, name);
            archives_near(subject.address.as_ref().unwrap(), &Surroundings::default())
        };
        assert_eq!(near("x/pg/base", "20260101T000000"), ["file:///copy/x/pg"]);
        assert_eq!(near("wals", "0000000100000000"), ["file:///copy"]);
        assert!(near("x/mybase", "pg").is_empty());
        assert!(near("x/pg", "base").is_empty());
    }
}
