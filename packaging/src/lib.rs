//! The operator's container image, written without a container engine, and its bill of materials.
//!
//! The same binaries, revision and time give the same bytes, on any machine: [`Image`] has all that goes in.
//!
//! - [`Binary`]: a program that may go into an image: static, for a platform that is known.
//! - [`Image`]: what an image consists of.
//! - [`Layout`]: a folder of blobs, named after their digests (OCI image layout).
//! - [`archive()`]: files in the form of a tar, the same bytes each time.
//! - [`Materials`]: what a program is made of: its bill (`CycloneDX`), and the notices of those who made it.

mod archive;
mod binary;
mod image;
mod layout;
mod materials;

pub use archive::{Entry, archive, archive_of_folder};
pub use binary::{Binary, NotFit, Platform};
pub use image::{Image, ImageError, USER};
pub use layout::{Descriptor, Layout, LayoutError};
pub use materials::{Linked, Materials, MaterialsError};
