//! Whatever the API server sends, each object is resolved or told to have another shape, and a
//! cluster proves nothing by itself.
//!
//! Each line is what one watch was sent: a letter for its kind, then an answer to a list or a line of
//! a watch.
#![no_main]

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Subject;
use cnpg_backup_verifier::assessment::assess_without_archive;
use cnpg_backup_verifier::assessment::expectations::Expectations;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::sources::kubernetes::watched::Discovered;
use cnpg_backup_verifier::sources::kubernetes::watched::StoreCredentials;
use cnpg_backup_verifier::sources::kubernetes::watched::Watched;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let now = DateTime::from_timestamp(1_768_046_400, 0).unwrap();
    let mut watched = Watched::default();
    let take = |watched: &mut Watched| {
        bytes.split(|byte| *byte == b'\n').for_each(|line| watched.take(line));
    };
    take(&mut watched);
    let discovery = watched.resolve(now);
    let discovered = discovery.clusters.clone().expect("everything was read");
    let parsed: BTreeSet<(String, String)> =
        watched.clusters().into_iter().filter(|it| it.2).map(|it| (it.0, it.1)).collect();
    let bad_clusters = watched.clusters().len() - parsed.len();
    assert_eq!(discovery.unparsable.len(), bad_clusters + watched.other_unparsable());
    assert!(discovery.unparsable.is_sorted() && discovery.unread.is_empty());

    let name = |it: &Discovered| (it.id.namespace.clone(), it.id.cluster.clone());
    assert!(discovered.iter().is_sorted_by(|one, other| name(one) < name(other)));
    for found in &discovered {
        assert!(parsed.contains(&name(found)), "{found:?}");
        check(found, now);
    }
    // A Secret is never read for a cluster of another namespace.
    let namespaces: BTreeSet<&String> = parsed.iter().map(|it| &it.0).collect();
    assert!(watched.namespaces_of_secrets().iter().all(|it| namespaces.contains(it)));
    // What was sent last counts, whatever was there before.
    take(&mut watched);
    assert_eq!(watched.resolve(now), discovery);
});

fn check(found: &Discovered, now: DateTime<Utc>) {
    if let Some(address) = &found.address {
        let StoreAddress::S3 { bucket, endpoint_url, .. } = &address.store else {
            panic!("a directory of a node: {address}");
        };
        // No credential stands in an address, which everybody is shown.
        assert!(!bucket.contains(['@', '/']), "{address}");
        let url = endpoint_url.as_ref().map(|url| url::Url::parse(url).unwrap());
        let is_bare = |url: &url::Url| url.username().is_empty() && url.password().is_none();
        assert!(url.as_ref().is_none_or(is_bare), "{endpoint_url:?}");
        // It means the same to whoever reads it again.
        assert!(address.to_string().starts_with(&format!("s3://{bucket}/")), "{address}");
    }
    // Secrets are not read, so there is nothing to open a store with but the configuration.
    assert_eq!(found.credentials, StoreCredentials::Configured);
    let subject = Subject { archive: found.id.clone(), address: found.address.clone() };
    let schedule = found.schedule.clone();
    let expected = Expectations { schedule, ..Expectations::default() };
    let assessment = assess_without_archive(&subject, &found.cluster, &expected, now);
    assert!(Verdict::AtRisk < assessment.verdict, "{assessment:?}");
}
