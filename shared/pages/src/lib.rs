//! Pages for people on their own machine: what the simulated provider and the operator's console share. The frame around a page, the
//! stylesheet, the script that keeps a page up to date, tables and fields, and the guard that keeps other sites' pages out.

mod guard;
mod page;
mod parts;

pub use guard::{HostName, guard};
pub use page::{Frames, Page, Updates, script, see, style};
pub use parts::{field, filled, table};
