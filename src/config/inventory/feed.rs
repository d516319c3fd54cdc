//! Rows in the order of the registries that they belong to, read no further than a page of registries needs them: of a
//! fleet's private endpoints and replications a few pages are held, and not all.

use futures::future::join_all;
use serde_json::Value;

use super::super::read_error::ReadError;
use super::graph::Pages;

/// A query's rows, read little by little. Each part of the scope is in order by itself.
pub(super) struct Feed<'a> {
    parts: Vec<Part<'a>>,
    registry_of: fn(&Value) -> String,
}

struct Part<'a> {
    pages: Pages<'a>,
    /// The registry of the last row that was read.
    last: Option<String>,
    /// Whether rows came in order so far; where they do not, all are read at once.
    in_order: bool,
    ended: bool,
}

/// Rows that were read, and the error that ended the reading early.
#[derive(Default)]
pub(super) struct Read {
    pub(super) rows: Vec<Value>,
    pub(super) error: Option<ReadError>,
}

impl<'a> Feed<'a> {
    /// A feed of rows whose registry (its key) `registry_of` tells.
    pub(super) fn new(parts: Vec<Pages<'a>>, registry_of: fn(&Value) -> String) -> Self {
        let part = |pages| Part { pages, last: None, in_order: true, ended: false };
        Self { parts: parts.into_iter().map(part).collect(), registry_of }
    }

    /// Reads what was not read yet of every registry up to this one; at least the first page.
    pub(super) async fn read_to(&mut self, registry: &str) -> Read {
        let registry_of = self.registry_of;
        let reads = join_all(self.parts.iter_mut().map(|part| part.read_to(registry, registry_of))).await;
        reads.into_iter().fold(Read::default(), |mut all, read| {
            all.rows.extend(read.rows);
            all.error = all.error.or(read.error);
            all
        })
    }
}

impl Part<'_> {
    async fn read_to(&mut self, registry: &str, registry_of: fn(&Value) -> String) -> Read {
        let mut read = Read::default();
        while !self.ended && (!self.in_order || self.last.as_deref().is_none_or(|last| last <= registry)) {
            let page = match self.pages.next().await {
                Ok(page) => page,
                Err(error) => {
                    read.error = Some(error);
                    None
                }
            };
            self.ended = page.is_none();
            for row in page.into_iter().flatten() {
                let of = registry_of(&row);
                self.in_order &= self.last.as_ref().is_none_or(|last| *last <= of);
                self.last = Some(of);
                read.rows.push(row);
            }
        }
        read
    }
}
