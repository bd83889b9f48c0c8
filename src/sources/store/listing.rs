//! Lists everything under a prefix: page by page, or in several ranges at once.
//!
//! What arrives is in byte order, once each, or the listing fails: a fold over it relies on that.

use futures::stream;
use futures::stream::StreamExt;
use futures::stream::TryStreamExt;

use crate::observation::inventory::ListedObject;
use crate::sources::limits::LIST_PAGE_BYTES;
use crate::sources::limits::LIST_PAGES_MAX;
use crate::sources::limits::LISTS_AT_ONCE;
use crate::sources::limits::OUTLINE_PAGES_MAX;
use crate::sources::limits::RANGE_FOLDERS_MIN;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::workshop::Turns;

/// Shows every object after `start_after`, in byte order, to `each`.
pub async fn list_all<S: ObjectStore + ?Sized>(
    store: &S,
    prefix: &str,
    start_after: Option<&str>,
    mut each: impl FnMut(ListedObject) + Send,
) -> Result<(), StoreError> {
    let range = Range { prefix, after: start_after, end: None };
    list_range(store, range, None, &mut each).await
}

/// Folds every object into one fold for each range, and returns those in the order of their keys.
///
/// A range ends between two folders under the prefix, so no folder is in two folds. A listing of
/// few pages makes one fold. Costs one request for each thousand folders and each further range.
/// Memory for all ranges is claimed once the store has answered.
pub async fn list_in_ranges<S, F>(
    store: &S,
    turns: &Turns,
    prefix: &str,
    new_fold: impl Fn() -> F + Sync,
    add: impl Fn(&mut F, ListedObject) + Sync,
) -> Result<Vec<F>, StoreError>
where
    S: ObjectStore + ?Sized,
    F: Send,
{
    let whole = Range { prefix, after: None, end: None };
    let mut first = store.list_page(whole.request(None)).await?;
    let mut cuts = Vec::new();
    if first.continuation.is_some() {
        let Outline { folders, .. } = outline(store, prefix).await?;
        let listed = first.objects.last().map_or(prefix, |object| object.key.as_str());
        let left = folders.iter().filter(|folder| folder.as_str() > listed).collect::<Vec<_>>();
        cuts = cut(&left);
    }
    let pages = u64::try_from(cuts.len()).unwrap_or(u64::MAX).saturating_add(1);
    let _in_flight = turns.bytes(pages.saturating_mul(LIST_PAGE_BYTES)).await;
    let starts = std::iter::once(None).chain(cuts.iter().map(|key| Some(key.as_str())));
    let ends = cuts.iter().map(|key| Some(key.as_str())).chain(std::iter::once(None));
    let ranges = starts.zip(ends).map(|(after, end)| Range { prefix, after, end });
    let lists = ranges.map(|range| {
        // Only the range that begins it all can go on from the page that is there already.
        let page = if range.after.is_none() { Some(std::mem::take(&mut first)) } else { None };
        let (new_fold, add) = (&new_fold, &add);
        async move {
            let mut fold = new_fold();
            list_range(store, range, page, &mut |object| add(&mut fold, object)).await?;
            Ok(fold)
        }
    });
    stream::iter(lists.collect::<Vec<_>>()).buffered(LISTS_AT_ONCE).try_collect().await
}

/// The keys after `after` up to and including `end`.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    end: Option<&'a str>,
}

impl<'a> Range<'a> {
    const fn request(&self, continuation: Option<&'a str>) -> ListRequest<'a> {
        ListRequest {
            prefix: self.prefix,
            start_after: self.after,
            is_outline: false,
            continuation,
            keys_max: None,
        }
    }
}

/// `page` is the first one, where it was read before.
async fn list_range<S: ObjectStore + ?Sized>(
    store: &S,
    range: Range<'_>,
    page: Option<ListPage>,
    each: &mut (impl FnMut(ListedObject) + Send),
) -> Result<(), StoreError> {
    let mut page = match page {
        Some(page) => page,
        None => store.list_page(range.request(None)).await?,
    };
    let mut last = range.after.map(str::to_owned);
    for _ in 0..LIST_PAGES_MAX {
        for object in page.objects {
            if last.as_deref() == range.after && range.after.is_some_and(|it| it >= &*object.key) {
                return Err(ignores_start(&object.key));
            }
            check_order(range.prefix, last.as_deref(), &object.key)?;
            if range.end.is_some_and(|end| end < object.key.as_str()) {
                return Ok(());
            }
            last = Some(object.key.clone());
            each(object);
        }
        let Some(continuation) = page.continuation else { return Ok(()) };
        page = store.list_page(range.request(Some(&continuation))).await?;
    }
    let detail = format!("the listing of `{}` has over {LIST_PAGES_MAX} pages", range.prefix);
    Err(StoreError::new(StoreErrorKind::TooLarge, detail))
}

/// The first key of an answer is not behind the one that was asked for.
fn ignores_start(key: &str) -> StoreError {
    let detail = format!(
        "asked for what comes after a key, the store lists from `{key}`: it does not list in byte \
         order, or it knows only version 1 of ListObjects"
    );
    StoreError::new(StoreErrorKind::OtherListing, detail)
}

fn check_order(prefix: &str, last: Option<&str>, key: &str) -> Result<(), StoreError> {
    if !key.starts_with(prefix) {
        let detail = format!("the listing of `{prefix}` shows `{key}`");
        return Err(StoreError::new(StoreErrorKind::Malformed, detail));
    }
    match last {
        Some(last) if last >= key => {
            let detail = format!("the store does not list in byte order: `{key}` follows `{last}`");
            Err(StoreError::new(StoreErrorKind::OtherListing, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// The folders directly under a prefix, each ending in `/`.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// In byte order.
    pub folders: Vec<String>,
    /// Of very many, only the first are asked for. To a listing in ranges that only makes the
    /// last one longer.
    pub is_whole: bool,
}

pub async fn outline<S: ObjectStore + ?Sized>(
    store: &S,
    prefix: &str,
) -> Result<Outline, StoreError> {
    let request = ListRequest { prefix, is_outline: true, ..ListRequest::default() };
    let mut folders: Vec<String> = Vec::new();
    let mut continuation: Option<String> = None;
    for _ in 0..OUTLINE_PAGES_MAX {
        let request = ListRequest { continuation: continuation.as_deref(), ..request };
        let page = store.list_page(request).await?;
        for folder in page.folders {
            check_order(prefix, folders.last().map(String::as_str), &folder)?;
            folders.push(folder);
        }
        continuation = page.continuation;
        if continuation.is_none() {
            break;
        }
    }
    Ok(Outline { folders, is_whole: continuation.is_none() })
}

/// Keys that part these folders into ranges of about the same number.
///
/// A cut leaves the slash off, so that the folder's first key comes after it.
fn cut(folders: &[&String]) -> Vec<String> {
    let ranges = (folders.len() / RANGE_FOLDERS_MIN).clamp(1, LISTS_AT_ONCE);
    let at = |range: usize| folders.get(range.checked_mul(folders.len())?.checked_div(ranges)?);
    let cuts = (1..ranges).filter_map(at);
    cuts.map(|folder| folder.trim_end_matches('/').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chrono::DateTime;

    use crate::domain::object_version::ObjectVersion;
    use crate::domain::storage_class::StorageClass;
    use crate::observation::store_clock::StoreClock;
    use crate::sources::store::body::Body;

    use super::*;

    /// A server that answers every request with the same page, and that there is more.
    struct Odd {
        keys: &'static [&'static str],
    }

    #[async_trait]
    impl ObjectStore for Odd {
        async fn list_page(&self, _: ListRequest<'_>) -> Result<ListPage, StoreError> {
            let objects = self.keys.iter().map(|key| ListedObject {
                key: (*key).to_owned(),
                version: ObjectVersion::default(),
                class: StorageClass::default(),
                uploaded_at: DateTime::UNIX_EPOCH,
            });
            let continuation = Some("again".to_owned());
            Ok(ListPage { objects: objects.collect(), folders: Vec::new(), continuation })
        }

        async fn open(
            &self,
            key: &str,
            _: u64,
            _: Option<&ObjectVersion>,
        ) -> Result<Body, StoreError> {
            Err(StoreError::new(StoreErrorKind::NoSuchKey, key))
        }

        async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
            Err(StoreError::new(StoreErrorKind::NoSuchKey, key))
        }

        fn clock(&self) -> StoreClock {
            StoreClock::default()
        }
    }

    async fn check(keys: &'static [&'static str], expected: &str) {
        let error = list_all(&Odd { keys }, "a/", None, |_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn a_listing_that_breaks_its_promise_is_an_error() {
        let disorder = "listing of another kind: the store does not list in byte order: ";
        check(&["a/2", "a/1"], &format!("{disorder}`a/1` follows `a/2`")).await;
        check(&["a/1", "a/1"], &format!("{disorder}`a/1` follows `a/1`")).await;
        check(&["a/1", "a/2"], &format!("{disorder}`a/1` follows `a/2`")).await;
        check(&["b/1"], "unexpected answer: the listing of `a/` shows `b/1`").await;
    }

    #[tokio::test]
    async fn a_listing_without_an_end_is_an_error() {
        let expected = "larger than allowed: the listing of `a/` has over 30000 pages";
        check(&[], expected).await;
    }

    #[test]
    fn ranges_are_of_about_the_same_number_of_folders() {
        let folders = (0..160).map(|it| format!("wals/{it:03}/")).collect::<Vec<_>>();
        let cut = |count: usize| cut(&folders[..count].iter().collect::<Vec<_>>());
        assert!(cut(0).is_empty());
        assert!(cut(2 * RANGE_FOLDERS_MIN - 1).is_empty());
        assert_eq!(cut(2 * RANGE_FOLDERS_MIN), ["wals/016"]);
        assert_eq!(cut(50), ["wals/016", "wals/033"]);
        assert_eq!(cut(160).len(), 9);
    }
}
