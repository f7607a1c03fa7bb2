//! Shows an `exec` from its first line to its last: as text, live on a terminal, or as JSON Lines.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use indicatif::MultiProgress;
use tako_engine::port::Observer;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Line, Recorded, RunState};
use tokio::sync::Mutex;

use super::Announcement;
use super::live::Live;
use super::narrator::Narrator;
use super::printer::{Printer, Stream};
use super::report::Report;
use super::text::clean;
use crate::cli::Global;
use crate::commands::exec::Output;

/// Watches the runs of a tree and says what happens to them.
pub(crate) struct Display {
    output: Output,
    quiet: bool,
    color: anstream::ColorChoice,
    state: Mutex<State>,
    printer: Printer,
}

struct State {
    narrator: Narrator,
    live: Option<Live>,
}

impl Display {
    /// A live tree where people look at a terminal, prefixed lines elsewhere, JSON Lines where asked. `decisions`
    /// asks for every decision about a subscription, `plain` for lines also on a terminal.
    pub(crate) fn new(output: Output, decisions: bool, plain: bool, global: &Global) -> Arc<Self> {
        let terminal = !plain && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let live = (output == Output::Text && terminal && !global.quiet).then(Live::new);
        let screen = live.as_ref().map(Live::screen);
        Arc::new(Self {
            output,
            quiet: global.quiet,
            color: global.color_choice(),
            state: Mutex::new(State { narrator: Narrator::new(decisions), live }),
            printer: Printer::new(move |stream, text| write(screen.as_ref(), stream, text)),
        })
    }

    /// The run is about to begin.
    pub(crate) async fn announce(&self, announcement: &Announcement) {
        self.say(announcement.lines()).await;
    }

    /// The runs of a tree that goes on, as they stand.
    pub(crate) async fn take_up(&self, states: &[RunState]) {
        let mut state = self.state.lock().await;
        for known in states {
            state.narrator.take_up(known);
            if let Some(live) = &mut state.live {
                live.add(&known.created.run, &known.created);
            }
        }
    }

    /// Something about the work as a whole.
    pub(crate) async fn note(&self, text: &str) {
        if !self.quiet {
            self.printer.print(Stream::Err, format!("{text}\n")).await;
        }
    }

    /// The user wants an end.
    pub(crate) fn mute(&self) {
        self.printer.mute();
    }

    /// The run is over.
    pub(crate) async fn conclude(&self, report: &Report) {
        if let Some(live) = self.state.lock().await.live.take() {
            live.clear();
        }
        let choice = match self.output {
            Output::Text => anstream::AutoStream::new(std::io::stdout(), self.color).current_choice(),
            Output::Json => anstream::AutoStream::new(std::io::stderr(), self.color).current_choice(),
        };
        let text = report.lines(choice != anstream::ColorChoice::Never);
        match self.output {
            Output::Text if self.quiet && report.is_success() => {}
            Output::Text => self.printer.print(Stream::Out, text).await,
            Output::Json if !self.quiet => self.printer.print(Stream::Err, text).await,
            Output::Json => {}
        }
        self.printer.finish();
    }

    /// About the work: on stdout with the output of the steps, or on stderr where stdout is for programs.
    async fn say(&self, text: String) {
        if !self.quiet {
            let stream = if self.output == Output::Json { Stream::Err } else { Stream::Out };
            self.printer.print(stream, text).await;
        }
    }
}

#[async_trait]
impl Observer for Display {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        // Held while printing, so that the lines of an entry come out in the order in which they were told.
        let mut state = self.state.lock().await;
        let State { narrator, live } = &mut *state;
        for recorded in narrator.in_order(run, recorded) {
            let told = narrator.tell(run, &recorded);
            if let Some(live) = live {
                live.update(run, &recorded);
            }
            self.printer.print(Stream::Err, told.warnings).await;
            match self.output {
                Output::Text => self.say(told.progress).await,
                Output::Json => {
                    let line = serde_json::to_string(&Line { run, recorded: &recorded });
                    self.printer.print(Stream::Out, line.map(|line| line + "\n").unwrap_or_default()).await;
                }
            }
        }
    }

    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]) {
        if self.quiet || self.output == Output::Json {
            return;
        }
        let name = self.state.lock().await.narrator.name(run).to_owned();
        self.printer.print(Stream::Out, prefixed(&name, step, bytes)).await;
    }
}

/// Writes a whole text, above the live tree if there is one. A reader that is gone has its reasons.
fn write(screen: Option<&MultiProgress>, stream: Stream, text: &str) {
    let write = || {
        let _ = match stream {
            Stream::Out => std::io::stdout().write_all(text.as_bytes()),
            Stream::Err => std::io::stderr().write_all(text.as_bytes()),
        };
    };
    match screen {
        Some(screen) => screen.suspend(write),
        None => write(),
    }
}

/// Every line of `bytes` behind the name of its step.
fn prefixed(name: &str, step: &StepId, bytes: &[u8]) -> String {
    let text = clean(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 2);
    for line in text.lines() {
        let _ = writeln!(lines, "[{name} {step}] {line}");
    }
    lines
}
