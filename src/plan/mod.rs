//! Targets -> conflicts, graph, waves.
