//! A laboratory of broken networks: a private Azure in network namespaces, where a scenario file says what is
//! there and what is broken, and the real program is run against it. Never shipped. See `README.md`.

pub mod access;
pub mod addresses;
pub mod arm;
pub mod authority;
pub mod az;
pub mod backing;
pub mod base;
pub mod blobs;
pub mod corporate;
pub mod daemon;
pub mod dns;
pub mod documents;
pub mod entra;
pub mod error;
pub mod graph;
pub mod heal;
pub mod http;
pub mod http2;
pub mod imds;
pub mod judge;
pub mod link;
pub mod logs;
pub mod names;
pub mod namespaces;
pub mod nat64;
pub mod outcome;
pub mod program;
pub mod registry;
pub mod resolver;
pub mod rounds;
pub mod router;
pub mod scenario;
pub mod server;
pub mod spokes;
pub mod squid;
pub mod stage;
pub mod tls;
pub mod tokens;
pub mod versions;
pub mod world;

pub use error::LabError;
pub use outcome::Outcome;
pub use scenario::Scenario;
