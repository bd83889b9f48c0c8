//! Cuts keys that come in byte order into pages as `ListObjectsV2` does.
//!
//! For the stores that have no server to do it.

use std::ops::ControlFlow;

use crate::observation::inventory::ListedObject;
use crate::sources::limits::LIST_KEYS_PER_PAGE;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;

/// A page in the making.
#[derive(Debug)]
pub(super) struct Pager<'a> {
    request: ListRequest<'a>,
    start: Start,
    keys_max: usize,
    page: ListPage,
    last: Option<Start>,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    First,
    AfterKey(String),
    AfterFolder(String),
}

impl<'a> Pager<'a> {
    pub(super) fn new(request: ListRequest<'a>) -> Result<Self, StoreError> {
        let start = match (request.continuation, request.start_after) {
            (Some(token), _) => Start::parse(token)?,
            (None, Some(key)) => Start::AfterKey(key.to_owned()),
            (None, None) => Start::First,
        };
        let keys_max = request.keys_max.unwrap_or(LIST_KEYS_PER_PAGE).min(LIST_KEYS_PER_PAGE);
        let keys_max = usize::from(keys_max.max(1));
        Ok(Self { request, start, keys_max, page: ListPage::default(), last: None })
    }

    /// Every key that can still appear is at or after this one.
    pub(super) fn first_key(&self) -> &str {
        let start = match &self.start {
            Start::First => "",
            Start::AfterKey(key) | Start::AfterFolder(key) => key,
        };
        start.max(self.request.prefix)
    }

    /// Whether a folder, which ends in `/`, can hold a key of this page.
    pub(super) fn enters(&self, folder: &str) -> bool {
        let prefix = self.request.prefix;
        if !folder.starts_with(prefix) && !prefix.starts_with(folder) {
            return false;
        }
        match &self.start {
            Start::First => true,
            Start::AfterKey(key) => key.as_str() < folder || key.starts_with(folder),
            Start::AfterFolder(done) => done.as_str() < folder && !folder.starts_with(done),
        }
    }

    /// Whether the page begins in the middle of this folder.
    pub(super) fn starts_inside(&self, folder: &str) -> bool {
        match &self.start {
            Start::First | Start::AfterFolder(_) => false,
            Start::AfterKey(key) => key.starts_with(folder),
        }
    }

    /// The folder that an outline shows in place of this key.
    pub(super) fn outlined<'k>(&self, key: &'k str) -> Option<&'k str> {
        if !self.request.is_outline {
            return None;
        }
        let rest = key.strip_prefix(self.request.prefix)?;
        let (first, _) = rest.split_once('/')?;
        let end = self.request.prefix.len().checked_add(first.len())?.checked_add(1)?;
        key.get(..end)
    }

    /// Takes the next key; `Break` says that the page is full.
    ///
    /// `describe` may find that the object is gone.
    pub(super) fn offer(
        &mut self,
        key: &str,
        describe: impl FnOnce() -> Result<Option<ListedObject>, StoreError>,
    ) -> Result<ControlFlow<()>, StoreError> {
        if !key.starts_with(self.request.prefix) || !self.admits(key) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(folder) = self.outlined(key) {
            if self.page.folders.last().is_some_and(|last| last == folder) {
                return Ok(ControlFlow::Continue(()));
            }
            if self.is_full() {
                return Ok(self.close());
            }
            self.page.folders.push(folder.to_owned());
            self.last = Some(Start::AfterFolder(folder.to_owned()));
        } else if self.is_full() {
            return Ok(self.close());
        } else if let Some(object) = describe()? {
            self.page.objects.push(object);
            self.last = Some(Start::AfterKey(key.to_owned()));
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn finish(self) -> ListPage {
        self.page
    }

    fn admits(&self, key: &str) -> bool {
        match &self.start {
            Start::First => true,
            Start::AfterKey(last) => last.as_str() < key,
            Start::AfterFolder(folder) => folder.as_str() < key && !key.starts_with(folder),
        }
    }

    const fn is_full(&self) -> bool {
        self.page.objects.len().saturating_add(self.page.folders.len()) >= self.keys_max
    }

    fn close(&mut self) -> ControlFlow<()> {
        self.page.continuation = self.last.as_ref().map(Start::token);
        ControlFlow::Break(())
    }
}

impl Start {
    fn token(&self) -> String {
        match self {
            Self::First => String::new(),
            Self::AfterKey(key) => format!("k{key}"),
            Self::AfterFolder(folder) => format!("f{folder}"),
        }
    }

    fn parse(token: &str) -> Result<Self, StoreError> {
        if let Some(key) = token.strip_prefix('k') {
            Ok(Self::AfterKey(key.to_owned()))
        } else if let Some(folder) = token.strip_prefix('f') {
            Ok(Self::AfterFolder(folder.to_owned()))
        } else {
            Err(StoreError::new(StoreErrorKind::Malformed, "a continuation that was never given"))
        }
    }
}
