//! Does what is read of the archive cross a public network for all to see?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::domain::endpoint::Endpoint;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let address = case.subject.address.as_ref();
    let endpoint = address.and_then(|address| Endpoint::of(&address.store));
    let odd = endpoint.filter(|it| !case.expected.accepts_plain_http && is_in_the_open(it));
    let problem = odd.map(|it| StoreDefect::Unencrypted { endpoint: it.to_string() });
    problem.map(|problem| Finding::new(Weight::Notice, problem)).into_iter().collect()
}

fn is_in_the_open(endpoint: &Endpoint) -> bool {
    !endpoint.is_encrypted() && !endpoint.is_nearby()
}
