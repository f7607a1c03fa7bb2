//! What makes a file dangerous: `TK05xx`.

mod code;
mod containers;
mod environment;
mod handed_on;
mod harmless;
mod injection;
mod origin;
mod rerun;
mod scripts;
mod secrets;
mod telling;
mod urls;

use tako_schemas::diagnostic::Diagnostic;

use crate::file::File;
use crate::shell::Scripts;

pub(crate) fn check<'f>(file: &'f File<'_>, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        injection::check(file, flow, scripts, out);
        environment::check(flow, out);
        containers::check(flow, out);
        secrets::check(file, flow, scripts, out);
        scripts::check(flow, scripts, out);
    }
    injection::check_mappings(file, out);
    urls::check(file, scripts, out);
}
