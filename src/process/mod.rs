//! The only OS-specific room.
