//! A list that costs its memory once, however many assessments tell the same.

use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;

/// Reads and changes like a `Vec`; clones share it until one is changed.
///
/// A thousand archives keep two assessments each while one is made, and mostly little happened
/// between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared<T>(Arc<Vec<T>>);

impl<T: PartialEq> Shared<T> {
    /// Takes the memory of an earlier list if that says the same, else gives spare memory back.
    pub(super) fn settle(&mut self, earlier: Option<&Self>)
    where
        T: Clone,
    {
        match earlier.filter(|earlier| *earlier == self) {
            Some(earlier) => *self = earlier.clone(),
            None => self.shrink_to_fit(),
        }
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for Shared<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Self {
        Self(Arc::new(list))
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
