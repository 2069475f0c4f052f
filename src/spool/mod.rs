//! Message bodies in flight: permits of a byte budget, and spooling of large ones to an unlinked temporary file.

mod body;
mod budget;
#[cfg(test)]
mod tests;
mod traits;

pub use body::{Body, BodyWriter};
pub use budget::Budget;
pub use traits::Traits;
