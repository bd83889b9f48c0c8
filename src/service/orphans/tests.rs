use super::*;
use crate::config::ExpectationConfig;
use crate::domain::archive_id::StoreAddress;
use crate::domain::orphan::Orphan;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::cluster::ObservedCluster;
use crate::sources::kubernetes::Ground as Found;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::failing::Failing;
use crate::sources::store::memory::MemoryStore;
use crate::sources::store::opening::Stores;

fn server(prefix: &str, name: &str) -> ArchiveAddress {
    let store = StoreAddress::S3 {
        bucket: "cnpg".to_owned(),
        endpoint_url: None,
        region: "auto".to_owned(),
    };
    ArchiveAddress { store, prefix: prefix.to_owned(), server_name: name.to_owned() }
}

/// What Kubernetes shows where these stores are, and clusters write these servers.
fn shown(prefixes: &[&str], claimed: &[ArchiveAddress]) -> Option<Reading<Claims>> {
    let ground = |prefix: &&str| Found {
        namespace: "databases".to_owned(),
        object_store: Some(format!("store-{prefix}")),
        address: server(prefix, ""),
        credentials: StoreCredentials::Configured,
        authority: None,
    };
    let mut claims = Claims::default();
    claims.grounds = prefixes.iter().map(ground).collect();
    claimed.iter().for_each(|address| claims.claim(address));
    Some(Ok(claims))
}

fn unreadable() -> Unreadable {
    let (what, why) = ("list clusters".to_owned(), "forbidden".to_owned());
    Unreadable { what, why, reason: UnreadableReason::Auth }
}

/// A cluster that archives there.
fn cluster(name: &str, address: ArchiveAddress) -> Arc<ArchiveSpec> {
    let id = ClusterId { namespace: "databases".to_owned(), name: name.to_owned() };
    let cluster = ObservedCluster::unreadable(id.clone(), unreadable());
    let spec = ArchiveSpec::unreadable(id, unreadable(), ExpectationConfig::default());
    Arc::new(ArchiveSpec { address: Some(address), cluster: Some(Arc::new(cluster)), ..spec })
}

struct Bucket {
    store: Arc<Failing<MemoryStore>>,
    stores: Stores,
    orphans: Orphans,
}

impl Bucket {
    fn holding(keys: &[&str]) -> Self {
        let store = Arc::new(Failing::new(MemoryStore::default()));
        keys.iter().for_each(|key| store.inner().put(*key, ""));
        let opened = Arc::clone(&store);
        let stores = Stores::opened_by(move |_, _| opened.clone());
        Self { store, stores, orphans: Orphans::default() }
    }

    fn follow(&mut self, claims: Option<Reading<Claims>>) {
        self.orphans.follow(claims, BTreeSet::new(), |_| None);
    }

    async fn search(&mut self) {
        let errands = self.orphans.errands();
        self.orphans.note(search(&self.stores, errands).await);
    }

    fn orphans(&self) -> Vec<String> {
        self.orphans
            .specs()
            .iter()
            .map(|spec| spec.subject().address.unwrap().to_string())
            .collect()
    }

    fn unread(&self) -> Vec<String> {
        self.orphans.search_state().unwrap().unread
    }
}

#[tokio::test]
async fn what_nobody_owns_is_an_orphan_if_it_is_an_archive() {
    let keys =
        ["a/old/base/x/y", "a/pg/wals/x", "a/config/wals/x", "a/dump/x", "a/file", "b/z/wals/x"];
    let mut bucket = Bucket::holding(&keys);
    let configured = [server("a", "config").place()].into();
    bucket.orphans.follow(shown(&["a"], &[server("a", "pg")]), configured, |_| None);
    assert_eq!(bucket.unread(), ["s3://cnpg/a/ has not been searched yet"]);
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/old"]);
    assert_eq!(bucket.unread(), Vec::<String>::new());
    let spec = &bucket.orphans.specs()[0];
    assert_eq!(spec.id.to_string(), "databases/- (old)");
    let orphan = Orphan { object_store: Some("store-a".to_owned()), left_by: None };
    assert_eq!(spec.orphan, Some(orphan));
    // Somebody restores it under its old name.
    bucket.follow(shown(&["a"], &[server("a", "old")]));
    assert_eq!(bucket.orphans(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_deleted_cluster_leaves_is_an_orphan_at_once() {
    let mut bucket = Bucket::holding(&["a/pg/wals/x"]);
    bucket.follow(shown(&["a"], &[server("a", "pg")]));
    let before = [cluster("main", server("a", "pg"))];
    assert_eq!(bucket.orphans.inherit(&before, &before), []);
    let errands = bucket.orphans.errands();
    bucket.follow(shown(&["a"], &[]));
    let left = bucket.orphans.inherit(&before, &[]);
    assert_eq!((left.len(), left[0].cluster.to_string()), (1, "databases/main".to_owned()));
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/pg"]);
    let left_by = bucket.orphans.specs()[0].orphan.clone().unwrap().left_by;
    assert_eq!(left_by, Some(left[0].cluster.clone()));
    // Whoever looked while it had a cluster has not looked for it.
    let found = search(&bucket.stores, errands).await;
    bucket.orphans.note(found);
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/pg"]);
}

#[tokio::test]
async fn a_cluster_that_archives_elsewhere_leaves_an_orphan_and_is_not_gone() {
    let mut bucket = Bucket::holding(&[]);
    let (old, new) = (server("a", "pg"), server("a", "pg-2"));
    bucket.follow(shown(&["a"], std::slice::from_ref(&new)));
    let left = bucket.orphans.inherit(&[cluster("main", old)], &[cluster("main", new)]);
    assert_eq!((left, bucket.orphans()), (Vec::new(), vec!["s3://cnpg/a/pg".to_owned()]));
    assert_eq!(bucket.orphans.specs()[0].orphan.clone().unwrap().left_by, None);
}

#[tokio::test]
async fn without_its_store_nothing_is_left() {
    let mut bucket = Bucket::holding(&["a/old/wals/x"]);
    bucket.follow(shown(&["a"], &[]));
    bucket.search().await;
    assert_eq!(bucket.orphans().len(), 1);
    bucket.follow(shown(&["b"], &[]));
    assert_eq!(bucket.orphans.inherit(&[cluster("main", server("a", "pg"))], &[]), []);
    assert_eq!(bucket.orphans(), Vec::<String>::new());
}

#[tokio::test]
async fn while_clusters_cannot_be_read_nobody_becomes_an_orphan_or_ceases_to_be_one() {
    let mut bucket = Bucket::holding(&["a/old/wals/x", "a/pg/wals/x"]);
    let whole = || shown(&["a"], &[server("a", "pg")]);
    bucket.follow(whole());
    bucket.search().await;
    bucket.follow(Some(Err(unreadable())));
    assert_eq!(bucket.unread(), ["list clusters: forbidden"]);
    bucket.store.inner().put("a/new/wals/x", "");
    assert_eq!(bucket.orphans.inherit(&[cluster("main", server("a", "pg"))], &[]), []);
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/old"]);
    // Then it is looked for what was missed.
    bucket.follow(whole());
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/new", "s3://cnpg/a/old"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_no_longer_is_forgotten_an_hour_later() {
    let mut bucket = Bucket::holding(&["a/old/wals/x", "a/older/base/x/y"]);
    bucket.follow(shown(&["a"], &[]));
    bucket.search().await;
    bucket.store.inner().remove("a/old/wals/x");
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/old", "s3://cnpg/a/older"]);
    tokio::time::advance(SEARCH_EVERY).await;
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/older"]);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_may_not_be_listed_is_told_and_forgets_nothing() {
    let mut bucket = Bucket::holding(&["a/old/wals/x"]);
    bucket.follow(shown(&["a"], &[]));
    bucket.search().await;
    let denied = StoreError::new(StoreErrorKind::Denied, "list");
    bucket.store.fail_always(None, denied);
    tokio::time::advance(SEARCH_EVERY).await;
    bucket.search().await;
    assert_eq!(bucket.unread(), ["look for orphans below s3://cnpg/a/: access denied: list"]);
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/old"]);
    bucket.store.heal();
    // One folder of another team.
    bucket.store.inner().put("a/theirs/x", "");
    let denied = StoreError::new(StoreErrorKind::Denied, "theirs");
    bucket.store.fail_nth(None, 3, denied);
    tokio::time::advance(SEARCH_EVERY).await;
    bucket.search().await;
    assert_eq!(bucket.unread(), ["look for orphans below s3://cnpg/a/: access denied: theirs"]);
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/old"]);
}

#[tokio::test]
async fn of_many_folders_the_first_thousand_are_looked_into() {
    let keys: Vec<String> = (0..1_200).map(|it| format!("a/{it:04}/wals/x")).collect();
    let mut bucket = Bucket::holding(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    bucket.follow(shown(&["a"], &[server("a", "0000")]));
    bucket.search().await;
    assert_eq!(bucket.orphans().len(), 999);
    assert!(bucket.store.calls() < 1_010, "{}", bucket.store.calls());
    let told = "look for orphans below s3://cnpg/a/: only the first 1000 folders are looked into";
    assert_eq!(bucket.unread(), [told]);
}

#[tokio::test]
async fn of_two_orphans_with_one_name_the_second_is_told() {
    let mut bucket = Bucket::holding(&["a/pg/wals/x", "b/pg/wals/x"]);
    bucket.follow(shown(&["a", "b"], &[]));
    bucket.search().await;
    assert_eq!(bucket.orphans(), ["s3://cnpg/a/pg"]);
    let told = "s3://cnpg/b/pg is not watched: another orphan is also called databases/- (pg)";
    assert_eq!(bucket.unread(), [told]);
}

#[tokio::test]
async fn where_nobody_looks_for_orphans_there_are_none() {
    let mut bucket = Bucket::holding(&["a/old/wals/x"]);
    bucket.follow(shown(&["a"], &[]));
    bucket.search().await;
    bucket.follow(None);
    bucket.search().await;
    assert_eq!((bucket.orphans(), bucket.orphans.search_state()), (Vec::new(), None));
    assert_eq!(bucket.orphans.inherit(&[cluster("main", server("a", "pg"))], &[]), []);
}
