//! The server as its clients see it: on a port of this machine, over the real store.

mod access;
mod agents;
mod children;
mod commits;
mod fakes;
mod ingress;
mod people;
mod trouble;
mod world;
