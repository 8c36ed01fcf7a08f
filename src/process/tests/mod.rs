//! Whole attempts, with this test executable as the shim: it executes itself as the one test
//! [`shim_entry`], told by an environment variable which directory is meant.
