//! Visual comparison: pictures of pages against those of before. What a picture is compared by is here;
//! when one is taken is the replay's.

mod baseline;
mod directory;
mod picture;

pub use baseline::{BaselineError, BaselineKey, BaselineMode, Baselines};
pub use directory::DirectoryBaselines;
pub(crate) use picture::{Picture, PictureError, Rectangle};
