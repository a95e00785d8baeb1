//! Tests of the automaton on programs that know no device.
