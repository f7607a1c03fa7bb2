//! Whose the files of a run are: the steps' while containers use them, ours otherwise.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{Gid, Uid, getegid, geteuid};

use tako_engine::port::{Place, RuntimeError};
use tako_schemas::id::RunId;

use super::engine::{Engine, Users};
use super::instance::{errand, labels};
use super::spec::{self, Bind, FILES, STEP_ID, STEP_USER};
use crate::error::{blocking, machine};
use crate::stepdir::read_bounded;
use crate::tree;

/// How long a container has to change the owner of a workspace.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longer than any image reference.
const REFERENCE_BYTES: usize = 4096;

/// How files change hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They need not: steps are the user that we are.
    None,
    /// We are root.
    Ourselves { owner: u32, group: u32 },
    /// A container does it, as root of its own; this is how it sees us.
    Errand { owner: u32, group: u32 },
}

fn way(users: Users, me: u32, my_group: u32) -> Way {
    match users {
        Users::Mapped => Way::None,
        Users::Same if me == STEP_ID => Way::None,
        Users::Same if me == 0 => Way::Ourselves { owner: me, group: my_group },
        Users::Same => Way::Errand { owner: me, group: my_group },
        Users::Subordinate => Way::Errand { owner: 0, group: 0 },
    }
}

/// The files of one run.
#[derive(Clone, Debug)]
pub(crate) struct Belongings {
    pub(crate) run: RunId,
    /// Whose containers they are, for the label.
    pub(crate) owner: String,
    pub(crate) workspace: PathBuf,
    /// Where files of its steps are while they run.
    pub(crate) files: PathBuf,
    /// Exists while the workspace is the steps', so that also another process knows.
    pub(crate) marker: PathBuf,
}

impl Belongings {
    /// Gives the workspace to steps.
    pub(crate) async fn give(&self, engine: &Engine, image: &str) -> Result<(), RuntimeError> {
        let way = way(engine.facts().users, geteuid().as_raw(), getegid().as_raw());
        if way == Way::None {
            return Ok(());
        }
        let (this, image_name) = (self.clone(), image.to_owned());
        blocking("hand over the workspace", move || {
            this.mark(&image_name).map_err(|error| machine("note who has the workspace", error))?;
            if let Way::Ourselves { .. } = way {
                let step = (Uid::from_raw(STEP_ID), Gid::from_raw(STEP_ID));
                this.chown(step.0, step.1)?;
            }
            Ok(())
        })
        .await?;
        if let Way::Errand { .. } = way {
            let script = format!("chown -R -h {STEP_USER} {}", Place::WORKSPACE);
            self.errand(engine, image, &script).await?;
        }
        Ok(())
    }

    /// Whether steps have it.
    pub(crate) async fn is_given(&self) -> bool {
        tokio::fs::try_exists(&self.marker).await.unwrap_or(true)
    }

    /// Takes everything back.
    pub(crate) async fn take(&self, engine: &Engine) -> Result<(), RuntimeError> {
        let way = way(engine.facts().users, geteuid().as_raw(), getegid().as_raw());
        match way {
            Way::None => {}
            Way::Ourselves { owner, group } => {
                let this = self.clone();
                let us = (Uid::from_raw(owner), Gid::from_raw(group));
                blocking("take the workspace back", move || this.chown(us.0, us.1)).await?;
            }
            Way::Errand { owner, group } => {
                let image = self.image().await?;
                // A place that was not mounted does not exist there.
                let script = format!(
                    "for place in {} {FILES}; do if [ -d $place ]; then chown -R -h {owner}:{group} $place && \
                     chmod -R u+rwX $place || exit; fi; done",
                    Place::WORKSPACE
                );
                self.errand(engine, &image, &script).await?;
            }
        }
        let marker = self.marker.clone();
        blocking("note who has the workspace", move || match fs::remove_file(marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(machine("note who has the workspace", error))
            }
            _ => Ok(()),
        })
        .await
    }

    /// Blocks.
    fn chown(&self, owner: Uid, group: Gid) -> Result<(), RuntimeError> {
        match tree::chown(&self.workspace, owner, group, Uid::from_raw(STEP_ID)) {
            // Nothing to hand over.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| machine("change the owner of the workspace", error)),
        }
    }

    /// Blocks.
    fn mark(&self, image: &str) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(parent) = self.marker.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        fs::write(&self.marker, image)
    }

    /// The image whose container gave the workspace away.
    async fn image(&self) -> Result<String, RuntimeError> {
        let marker = self.marker.clone();
        blocking("read who has the workspace", move || {
            let read = || {
                let bytes = read_bounded(fs::File::open(marker)?, REFERENCE_BYTES)?.unwrap_or_default();
                String::from_utf8(bytes).map_err(io::Error::other)
            };
            read().map_err(|error| machine("read who has the workspace", error))
        })
        .await
    }

    async fn errand(&self, engine: &Engine, image: &str, script: &str) -> Result<(), RuntimeError> {
        let (workspace, files) = (self.workspace.clone(), self.files.clone());
        let exist =
            blocking("look for the workspace", move || Ok((workspace.is_dir(), files.is_dir()))).await?;
        let mut binds = Vec::new();
        if exist.0 {
            binds.push(Bind::new(&self.workspace, Place::WORKSPACE, false));
        }
        if exist.1 {
            binds.push(Bind::new(&self.files, FILES, false));
        }
        let body = spec::errand(image, script, &binds, labels(self.run.as_str(), &self.owner));
        errand(engine, body, image, PATIENCE).await?.map_err(|reason| RuntimeError::Engine {
            action: format!("change the owner of the workspace (in a container of `{image}`)"),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let cases = [
            ("root, and a daemon of root's", Users::Same, 0, Way::Ourselves { owner: 0, group: 7 }),
            ("the very user", Users::Same, 1001, Way::None),
            ("somebody", Users::Same, 1000, Way::Errand { owner: 1000, group: 7 }),
            ("somebody's own daemon", Users::Subordinate, 1000, Way::Errand { owner: 0, group: 0 }),
            ("rootless Podman", Users::Mapped, 1000, Way::None),
        ];
        for (name, users, me, want) in cases {
            assert_eq!(way(users, me, 7), want, "{name}");
        }
    }
}
