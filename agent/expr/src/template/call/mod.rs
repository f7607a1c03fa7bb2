//! What the functions do.

pub(crate) mod collection;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod escape;
pub(crate) mod event;
pub(crate) mod printf;
pub(crate) mod text;
