//! Against real git's opinion.

mod clean;
mod commit;
mod graveyard;
mod land;
mod look;
mod merge;
mod predict;
mod put;
mod snapshot_ref;
