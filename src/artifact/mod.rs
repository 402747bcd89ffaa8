//! What leaves the compiler as text and comes back: the canonical form of a topology, derived files, digests of meaning,
//! provenance.
//!
//! ```text
//! topology --canonical--> one form --topology_text--> `topology over B { ... }`
//! spec + topology --derived_file--> a self-contained .mtl, which compiles to the same topology
//! spec --digest--> "mtl1:sha256:..."   (meaning only: no layout, comments, paths, provenance)
//! ```
//!
//! The same topology always has the same text, and deriving twice gives the same bytes: nothing here reads a clock, the
//! environment, or the order in which a search happened to find things.

mod binding;
mod canonical;
mod derived;
mod digest;
mod encode;
mod labelling;
mod paths;
mod provenance;
mod topology_text;
mod written;

pub use binding::binding;
pub use canonical::{Canonical, canonical, canonicalise, same_meaning};
pub use derived::{Derivation, beside, derived_file, network_file, program_file, unfrozen_file, vocabularies};
pub use digest::{digest, network_digest, parts, search_parts};
pub use encode::Encoder;
pub use paths::rebased;
pub use provenance::{
    Provenance, Standing, TOOL, changed_parts, changed_since, check_provenance, unbound_data, verify_self,
};
pub use topology_text::topology_text;
pub use written::searches_moved;
