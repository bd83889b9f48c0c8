//! Walks through the XML of an answer, element by element, over the bytes as they are.
//!
//! It takes what S3 writes and no more: no type definitions, no entities but XML's own five. XML
//! that ends early, or is broken in the middle, is an error and never a shorter document.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::BytesRef;
use quick_xml::events::Event;

use crate::sources::limits::LIST_ANSWER_DEPTH_MAX;

/// Why bytes are not the document that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    #[error("the content is not an answer from S3")]
    OtherRoot,
    #[error("the XML breaks off")]
    BreaksOff,
    #[error("the XML is broken at byte {0}")]
    Broken(u64),
}

/// A place in a document: inside some element, after so many of its children.
#[derive(Debug)]
pub(super) struct Document<'a> {
    reader: Reader<&'a [u8]>,
    /// How many elements are open.
    depth: usize,
}

impl<'a> Document<'a> {
    /// At the beginning of the root, which has this local name.
    pub(super) fn open(bytes: &'a [u8], root: &str) -> Result<Self, XmlError> {
        let at = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let text = std::str::from_utf8(bytes)
            .map_err(|error| XmlError::Broken(at(error.valid_up_to())))?;
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut document = Self { reader, depth: 0 };
        loop {
            match document.event()? {
                Event::Start(element) if element.local_name().as_ref() == root.as_bytes() => {
                    document.depth = 1;
                    return Ok(document);
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                _ => return Err(XmlError::OtherRoot),
            }
        }
    }

    /// Enters the next child, by its local name; `None` leaves the element at its end.
    pub(super) fn child<N>(
        &mut self,
        name: impl FnOnce(&[u8]) -> N,
    ) -> Result<Option<N>, XmlError> {
        loop {
            match self.inner_event()? {
                Event::Start(element) => {
                    self.enter()?;
                    return Ok(Some(name(element.local_name().as_ref())));
                }
                Event::End(_) => {
                    self.leave();
                    return Ok(None);
                }
                // Between elements, servers write nothing but space.
                _ => {}
            }
        }
    }

    /// The text of an element that has no children, and leaves it.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, XmlError> {
        let mut text = Cow::Borrowed("");
        loop {
            let piece = match self.inner_event()? {
                Event::Text(piece) => piece.decode().map_err(|_| self.broken())?,
                Event::CData(piece) => piece.decode().map_err(|_| self.broken())?,
                Event::GeneralRef(reference) => self.resolve(&reference)?,
                Event::Comment(_) | Event::PI(_) => continue,
                Event::End(_) => {
                    self.leave();
                    return Ok(text);
                }
                _ => return Err(self.broken()),
            };
            if text.is_empty() {
                text = piece;
            } else {
                text.to_mut().push_str(&piece);
            }
        }
    }

    /// Leaves the element, whatever is in it.
    pub(super) fn skip(&mut self) -> Result<(), XmlError> {
        let outside = self.depth.saturating_sub(1);
        while outside < self.depth {
            match self.inner_event()? {
                Event::Start(_) => self.enter()?,
                Event::End(_) => self.leave(),
                Event::GeneralRef(reference) => drop(self.resolve(&reference)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// After the root, nothing may follow.
    pub(super) fn finish(mut self) -> Result<(), XmlError> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                _ => return Err(self.broken()),
            }
        }
    }

    fn inner_event(&mut self) -> Result<Event<'a>, XmlError> {
        match self.event()? {
            Event::Eof => Err(XmlError::BreaksOff),
            Event::DocType(_) | Event::Decl(_) => Err(self.broken()),
            event => Ok(event),
        }
    }

    fn event(&mut self) -> Result<Event<'a>, XmlError> {
        self.reader.read_event().map_err(|error| match error {
            // All of them say that the input ended first.
            Error::Syntax(_) => XmlError::BreaksOff,
            _ => XmlError::Broken(self.reader.error_position()),
        })
    }

    fn enter(&mut self) -> Result<(), XmlError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth <= LIST_ANSWER_DEPTH_MAX { Ok(()) } else { Err(self.broken()) }
    }

    /// The parser has held its end against its beginning.
    const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<Cow<'a, str>, XmlError> {
        let character = reference.resolve_char_ref().map_err(|_| self.broken())?;
        if let Some(character) = character {
            return Ok(Cow::Owned(character.to_string()));
        }
        let name = reference.decode().map_err(|_| self.broken())?;
        resolve_predefined_entity(&name).map(Cow::Borrowed).ok_or_else(|| self.broken())
    }

    fn broken(&self) -> XmlError {
        XmlError::Broken(self.reader.buffer_position())
    }
}
