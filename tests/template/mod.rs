//! What the deployment template promises, without AWS: it and the code say the same.

mod document;
mod protection;
mod rights;
mod settings;
mod watching;
