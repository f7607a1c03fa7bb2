//! What makes a file dangerous: `TK05xx`.

mod containers;
mod environment;
mod harmless;
mod injection;
mod origin;
mod scripts;
mod secrets;
mod telling;
mod urls;

use tako_schemas::diagnostic::Diagnostic;

use crate::file::File;

pub(crate) fn check(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        injection::check(file, flow, out);
        environment::check(flow, out);
        containers::check(flow, out);
        secrets::check(file, flow, out);
        scripts::check(flow, out);
    }
    injection::check_mappings(file, out);
    urls::check(file, out);
}
