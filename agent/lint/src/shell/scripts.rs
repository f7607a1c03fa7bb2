//! The scripts of a file, each read once for all checks.

use std::collections::HashMap;

use tako_schemas::workflow::Step;

use super::{Script, read};
use crate::file::{Flow, Placed};

/// What the scripts of a file's steps consist of, as far as a shell reads them.
pub(crate) struct Scripts<'f>(HashMap<*const Step, Script<'f>>);

impl<'f> Scripts<'f> {
    /// Reads the scripts of all steps.
    pub(crate) fn of(flows: &'f [Flow]) -> Self {
        let steps = flows.iter().flat_map(Flow::steps).filter(Placed::in_shell);
        let read =
            |placed: Placed<'f>| Some((std::ptr::from_ref(placed.step), read(placed.script()?.as_str())));
        Self(steps.filter_map(read).collect())
    }

    /// The script of a step; none where no shell reads it.
    pub(crate) fn get(&self, placed: &Placed<'f>) -> Option<&Script<'f>> {
        self.0.get(&std::ptr::from_ref(placed.step))
    }
}
