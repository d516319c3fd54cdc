//! The network interfaces' numbers, by which a link-local address is made whole.

use std::collections::BTreeMap;

/// Interfaces by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces(BTreeMap<String, u32>);

impl Interfaces {
    /// This host's.
    pub fn read() -> Self {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        Self(all.into_iter().filter_map(|interface| Some((interface.name, interface.index?))).collect())
    }

    /// These ones.
    #[cfg(test)]
    pub fn of<'n>(all: impl IntoIterator<Item = (&'n str, u32)>) -> Self {
        Self(all.into_iter().map(|(name, index)| (name.to_owned(), index)).collect())
    }

    /// An interface's number.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// An interface's name.
    pub fn name_of(&self, index: u32) -> Option<&str> {
        self.0.iter().find(|(_, known)| **known == index).map(|(name, _)| name.as_str())
    }
}
